r"""Shape and colour on 27,300 procedural shapes: palettes of 16 colours.

    python -m jaxsoftras.shapes --out data/embedded3000 --objects 3000 --renderer jax
    python -m jaxsoftras.shapes --out data/embedded_eval --objects 100 --seed 1
    python train.py --config configs/palette.py --workdir runs/palette
    python eval.py --workdir runs/palette --split test --checkpoint best --points 0 \
        --data data/embedded_eval --set data.source=npz --color-gallery 6

The network, with 3.4 million parameters, has the layers of configs/pretrained.py; the
colours of the images vary in training. On 260 shapes of another seed, from unseen
views: PSNR 20.07 dB, where the mean colour of the input has 19.60 and its nearest
pixels 19.75; SSIM .765, against .754 and .758; IoU of voxels .593. The 20,000 steps
took 63 s, with log.images_every=100000, on one H200 that three runs shared (jax 0.11.2,
2026-11-27).
"""

from jaxsoftras.config import Augment, Color, Config, Data, Log, Loss, Model, Optim


def get_config() -> Config:
    """A run of 20,000 steps in which squared differences of colours have weight 20."""
    return Config(
        data=Data(source="embedded", root="data/embedded3000", embedded_objects=3000),
        model=Model(
            channels=(32, 64, 128),
            hidden=(128, 256),
            latent=128,
            decoder_hidden=(256, 512),
            color="palette",
        ),
        loss=Loss(color=20.0, color_norm="l2"),
        augment=Augment(
            color=Color(brightness=0.3, contrast=0.3, saturation=0.5, hue=180)
        ),
        optim=Optim(
            steps=20_000,
            learning_rate=3e-4,
            schedule="cosine",
            decay_step=20_000,
            decay_factor=0.01,
            warmup_steps=200,
            ema=0.999,
        ),
        log=Log(checkpoint_every=2_000, validate_every=2_000),
    )
