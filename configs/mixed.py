"""The paper's network on real13 and on many embedded shapes, half of each.

    python -m jaxsoftras.shapes --out data/embedded3000 --objects 3000 --renderer jax
    python train.py --config configs/mixed.py --workdir runs/mixed
    python eval.py --workdir runs/mixed --split test

Validation and test are those of real13, as in configs/real13.py. The first command
makes 46,800 shapes on the GPU, 27,300 of them for training, in two minutes beside 16
cores. Where there is none, leave it out: training makes them on the cores when they are
absent, 25 minutes on two of them. The network is evaluated with a moving average of its
parameters. Mean IoU of test on one H200, seeds 0 to 2: .538, .536, .535.
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
                    root="data/embedded3000", source="embedded", embedded_objects=3000
                ),
            )
        ),
        optim=Optim(steps=10_000, learning_rate=2e-4, ema=0.999),
        log=Log(checkpoint_every=1_000, validate_every=1_000, validate_views=0),
    )
