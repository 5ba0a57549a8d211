"""The paper's run: 13 categories of ShapeNet, silhouettes only, 250,000 steps.

    python -m jaxsoftras.data download --out data
    python train.py --config configs/softras.py --workdir runs/softras

The original's authors report a mean IoU of 0.62 on this data.
"""

from jaxsoftras.config import Config


def get_config() -> Config:
    """The defaults of every field."""
    return Config()
