"""Shape and colour by a small network on the embedded data set: minutes on two cores.

    python train.py --config configs/color.py --workdir runs/color
    python eval.py --workdir runs/color --split test

The data set, procedural shapes, is made in data/embedded100 when it is absent: about a
minute. docs/color.md states the results to expect.
"""

from jaxsoftras.config import Config, Data, Log, Loss, Model, Optim


def get_config() -> Config:
    """The network of configs/demo.py with a palette of 8 colours for each object."""
    return Config(
        data=Data(source="embedded", root="data/embedded100", embedded_objects=100),
        model=Model(
            channels=(16, 32, 64, 64),
            hidden=(256,),
            latent=128,
            decoder_hidden=(256,),
            template_level=2,
            color="palette",
            palette_size=8,
        ),
        loss=Loss(color=5.0, color_norm="l2"),
        optim=Optim(
            steps=1_000,
            batch_size=16,
            learning_rate=1e-3,
            decay_step=800,
        ),
        log=Log(
            metrics_every=50, images_every=250, checkpoint_every=250, validate_every=250
        ),
    )
