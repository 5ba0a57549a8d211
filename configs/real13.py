"""The paper's network and losses on real13: 666 free models of the 13 categories.

    python train.py --config configs/real13.py --workdir runs/real13
    python eval.py --workdir runs/real13 --split test

The data set, in the format of Soft Rasterizer with colours not inverted, is looked for
in data/real13, then in ../shared/data/real13; --set data.root=FOLDER names another
folder. docs/results.md states the results to expect.
"""

from pathlib import Path

from jaxsoftras.config import Config, Data, Log, Optim

_PLACES = ("data/real13", "../shared/data/real13")


def get_config() -> Config:
    """A run of 6,000 steps, which ends before learning rate and sigma decay."""
    found = [place for place in _PLACES if Path(place).is_dir()]
    return Config(
        data=Data(root=(found or _PLACES)[0]),
        optim=Optim(steps=6_000),
        log=Log(checkpoint_every=1_000, validate_every=1_000, validate_views=0),
    )
