"""Opens the data set that a configuration names."""

from __future__ import annotations

from pathlib import Path

import rich.console
import rich.progress

from jaxsoftras import config, data
from jaxsoftras.shapes import dataset


def open_split(settings: config.Data, split: str) -> data.Split:
    """Opens one split; makes the embedded data set first if need be.

    Args:
        settings: which data set.
        split: ``"train"``, ``"val"`` or ``"test"``.

    Raises:
        OSError, ValueError: files are missing or not what they should be.
    """
    if settings.source == "embedded":
        _ensure_embedded(settings)
    source = "prepared" if settings.source == "prepared" else "npz"
    return data.open_split(source, settings.root, split, settings.categories or None)


def _ensure_embedded(settings: config.Data) -> None:
    """Makes the embedded data set if it is not there, with a progress bar."""
    console = rich.console.Console(stderr=True)
    title = f"making the embedded data set in {settings.root}"
    with rich.progress.Progress(console=console, transient=True) as bar:
        task = bar.add_task(title, visible=False)

        def progress(done: int, total: int) -> None:
            if done == 1 and not console.is_terminal:
                console.print(f"{title}: {total} objects", highlight=False)
            bar.update(task, completed=done, total=total, visible=True)

        dataset.ensure_dataset(
            Path(settings.root),
            objects_per_category=settings.embedded_objects,
            progress=progress,
        )
