"""Settings of a run that takes seconds: cabinets at 16 px, a tiny network."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
CABINET = "02933112"
SMALL = [
    "data.categories=('02933112',)",
    "model.channels=4,8",
    "model.hidden=16,",
    "model.latent=8",
    "model.decoder_hidden=16,",
    "model.template_level=1",
    "optim.batch_size=4",
    "log.metrics_every=10",
]
