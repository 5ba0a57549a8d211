"""A run that takes seconds: cabinets at 16 px, a tiny network."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "configs" / "softras.py"
CABINET = "02933112"
SMALL = [
    "data.categories=('02933112',)",
    "model.image_size=16",
    "model.channels=4,8",
    "model.hidden=16,",
    "model.latent=8",
    "model.decoder_hidden=16,",
    "model.template_level=1",
    "render.implementation=reference",  # compiled in half the time of the others
    "optim.batch_size=4",
    "log.metrics_every=10",
    "log.validate_every=0",
]


def train(*settings: str, workdir: Path, root: Path | None = None) -> int:
    """Runs the training program, with `SMALL` settings; returns its exit code."""
    from jaxsoftras.reconstruction import training_run  # conftest imports this module

    words = [*SMALL, *([f"data.root={root}"] if root else []), *settings]
    return training_run.main(
        ["--config", str(CONFIG), "--workdir", str(workdir), "--set", *words]
    )


def error_line(capsys) -> str:
    """The single line that a failed program wrote to stderr."""
    (line,) = capsys.readouterr().err.splitlines()
    return line
