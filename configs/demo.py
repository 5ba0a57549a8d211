"""A small network on the embedded data set: minutes on two CPU cores.

    python train.py --config configs/demo.py --workdir runs/demo
    python eval.py --workdir runs/demo --split test --untrained

The data set, procedural shapes, is made in data/embedded when it is absent.
"""

from jaxsoftras.config import Config, Data, Log, Model, Optim


def get_config() -> Config:
    """A template of 162 vertices and an encoder of 0.4 million parameters."""
    return Config(
        data=Data(source="embedded", root="data/embedded", embedded_objects=24),
        model=Model(
            channels=(16, 32, 64, 64),
            hidden=(256,),
            latent=128,
            decoder_hidden=(256,),
            template_level=2,
        ),
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
