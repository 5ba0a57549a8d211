r"""A small network to ship with the package: a model file of less than 6 MB.

    python -m jaxsoftras.shapes --out data/embedded3000 --objects 3000 --renderer jax
    python train.py --config configs/pretrained.py --workdir runs/pretrained
    python eval.py --workdir runs/pretrained --split test --checkpoint best \
        --data data/real13 --set data.source=npz
    python -m jaxsoftras export --workdir runs/pretrained --checkpoint best \
        --storage float16 --license CC0-1.0 --out jaxsoftras/pretrained/model.zip

It is trained on embedded shapes alone, which carry no rights of others. Images are
scaled and moved in training, because the pictures of users are framed by a rule, and
their colours vary. The 2.5 million parameters are stored in half precision: 5.1 MB.

Mean IoU of real13's test split, which it has not seen, at the checkpoint of the best
validation: .4926, .4956 (seeds 0 and 1; that validation, on 650 embedded shapes: .530,
.532; step 34,000 of both). The 40,000 steps took 167 s, with
log.images_every=100000, on one H200 that three runs shared (jax 0.11.2, 2026-11-27).
"""

from jaxsoftras.config import Augment, Color, Config, Data, Log, Model, Optim, Render


def get_config() -> Config:
    """A template of 642 vertices, and narrower layers than the paper's."""
    return Config(
        data=Data(
            source="embedded",
            root="data/embedded3000",
            embedded_objects=3000,
            views_per_object=4,
        ),
        model=Model(
            channels=(32, 64, 128),
            hidden=(128, 256),
            latent=128,
            decoder="multilevel",
            decoder_hidden=(256, 512),
        ),
        render=Render(sigma=3e-4, final_sigma=3e-5, anneal_steps=40_000),
        augment=Augment(
            mirror=True,
            color=Color(brightness=0.3, contrast=0.3, saturation=0.5, hue=180),
            scale=0.2,
            shift=0.1,
        ),
        optim=Optim(
            steps=40_000,
            batch_size=32,
            learning_rate=3e-4,
            schedule="cosine",
            decay_step=40_000,
            decay_factor=0.01,
            warmup_steps=200,
            ema=0.999,
        ),
        log=Log(checkpoint_every=2_000, validate_every=2_000),
    )
