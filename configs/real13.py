"""The paper's network and losses on real13: 666 free models of the 13 categories.

    python train.py --config configs/real13.py --workdir runs/real13
    python eval.py --workdir runs/real13 --split test

The data set (format of Soft Rasterizer, colours not inverted) is looked for in
data/real13, then beside the project in shared/data/real13; or name its folder with
--set data.root=... . Expected on one GPU: see README.md.
"""

from pathlib import Path

from jaxsoftras.config import Config, Data, Log, Optim

_PLACES = ("data/real13", "../shared/data/real13")


def get_config() -> Config:
    """6,000 steps, too few to reach the decay of learning rate and sigma."""
    found = [place for place in _PLACES if Path(place).is_dir()]
    return Config(
        data=Data(root=(found or _PLACES)[0]),
        optim=Optim(steps=6_000),
        log=Log(checkpoint_every=1_000),
    )
