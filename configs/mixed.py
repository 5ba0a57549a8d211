"""The paper's network on real13 and on as many embedded shapes, half of each.

    python train.py --config configs/mixed.py --workdir runs/mixed
    python eval.py --workdir runs/mixed --split test

Validation and test are those of real13, as in configs/real13.py. The embedded data set
of 5,200 shapes, of which 3,640 are for training, is made in data/embedded400 when it is
absent: minutes on a few cores.
"""

from pathlib import Path

from jaxsoftras.config import Config, Data, Log, Optim, Source

_PLACES = ("data/real13", "../shared/data/real13")


def get_config() -> Config:
    """A run of 10,000 steps: every second object is an embedded one."""
    found = [place for place in _PLACES if Path(place).is_dir()]
    return Config(
        data=Data(
            sources=(
                Source(root=(found or _PLACES)[0]),
                Source(
                    root="data/embedded400", source="embedded", embedded_objects=400
                ),
            )
        ),
        optim=Optim(steps=10_000),
        log=Log(checkpoint_every=1_000, validate_every=1_000, validate_views=0),
    )
