"""Makes a data set of a user's pictures: ``python -m jaxsoftras.data pictures``.

Each picture is cropped to a square around its object, and its camera with it. Nothing
that is broken ends the work: it is left out, and the report says so. Objects are kept
as files until all are there, and then packed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jaxsoftras import atomic, extras, workers
from jaxsoftras.data import picture_cameras, picture_files, picture_objects
from jaxsoftras.data.picture_files import PictureObject
from jaxsoftras.data.picture_objects import Options, Outcome, list_unused
from jaxsoftras.data.pictures_writing import Report, Taken, check_folder, write
from jaxsoftras.terminal import Progress


def import_pictures(
    images: str | Path,
    out: str | Path,
    options: Options = Options(),  # noqa: B008
    *,
    fractions: tuple[float, float, float] = (0.7, 0.1, 0.2),
    jobs: int = 1,
    progress: Progress | None = None,
) -> Report:
    """Makes a data set of a folder of pictures with masks and cameras.

    docs/pictures.md states the layout of the folder. A data set that an earlier call
    left in ``out`` is replaced, unless no picture can be used.

    Args:
        images: folder with a sub-folder for each category, and in it one for each
            object.
        out: folder of the data set.
        options: how pictures are taken over.
        fractions: shares of train, val and test, where no folders of these names say
            which object belongs to which.
        jobs: number of processes, which plays no part in the result; 1 for this one.
        progress: called with the numbers of objects done and to do.

    Returns:
        What was taken over and what was left out; without an object, nothing was
        written.

    Raises:
        FileNotFoundError: there are no pictures.
        FileExistsError: ``out`` holds something else.
        ValueError: an argument is out of range.
        MissingExtraError: Pillow is not installed.

    Example:
        >>> import json, pathlib, tempfile
        >>> import numpy as np
        >>> from PIL import Image
        >>> from jaxsoftras.data import pictures
        >>> folder = tempfile.TemporaryDirectory()
        >>> ball = pathlib.Path(folder.name, "in", "balls", "train", "a")
        >>> ball.mkdir(parents=True)
        >>> x, y = np.meshgrid(*[np.linspace(-1, 1, 40)] * 2)
        >>> mask = Image.fromarray(np.uint8(255 * (x**2 + y**2 < 0.3)))
        >>> cameras = {}
        >>> for k in range(4):
        ...     Image.merge("LA", [mask, mask]).save(ball / f"{k}.png")
        ...     view = {"distance": 3, "elevation": 0, "azimuth": 90 * k, "fov": 30}
        ...     cameras[f"{k}.png"] = view
        >>> text = json.dumps({"pictures": cameras})
        >>> size = (ball / "cameras.json").write_text(text)
        >>> out = pathlib.Path(folder.name, "out")
        >>> report = pictures.import_pictures(ball.parents[2], out)
        >>> len(report.objects), report.left_out
        (1, [])
        >>> folder.cleanup()
    """
    # once: each picture would be left out
    extras.require("read pictures", "PIL")
    root, out = Path(images).resolve(), Path(out).resolve()
    _check_arguments(root, out, options, jobs)
    check_folder(out)
    found = picture_files.discover(root, fractions)
    report = Report(left_out=found.left_out)
    shared = _read_shared(root, report)
    with atomic.workspace(out) as folder:
        kept = [folder / f"{n}.npz" for n in range(len(found.objects))]
        calls = [
            (root, source, _choose_entries(root, source, shared), options, path)
            for source, path in zip(found.objects, kept, strict=True)
        ]
        outcomes = _take_all(calls, jobs, progress)
        used = set()
        for source, path in zip(found.objects, kept, strict=True):
            outcome = outcomes[path]
            report.left_out += outcome.left_out
            report.notes += outcome.notes
            used.update(outcome.used)
            if outcome.files:
                report.objects.append(Taken(source, outcome.files, path))
        report.left_out += list_unused(shared, used, "")
        if report.objects:
            write(out, report, options, fractions)
    return report


def _check_arguments(root: Path, out: Path, options: Options, jobs: int) -> None:
    if options.size < 8:
        raise ValueError(f"Images need at least 8 pixels a side, not {options.size}.")
    if jobs < 1:
        raise ValueError(f"There must be at least one process, not {jobs}.")
    if out == root or root in out.parents:
        raise ValueError(
            f"The data set must not lie among the pictures: {out} is within {root}."
        )


def _read_shared(root: Path, report: Report) -> dict[str, Any]:
    """Reads the camera file of the whole folder, if there is one."""
    path = root / picture_cameras.FILE
    try:
        return picture_cameras.read_entries(path) if path.is_file() else {}
    except (ValueError, OSError) as error:
        report.left_out.append((path.name, str(error)))
        return {}


def _choose_entries(
    root: Path, source: PictureObject, shared: Mapping[str, Any]
) -> dict[str, Any]:
    """The shared entries that name pictures of an object."""
    if not shared:
        return {}
    names = [n for path in source.pictures for n in picture_files.names_in(root, path)]
    return {name: shared[name] for name in names if name in shared}


def _take_all(
    calls: Sequence[tuple], jobs: int, progress: Progress | None
) -> dict[Path, Outcome]:
    """Takes over all objects, in whatever order they are done."""
    outcomes = {}
    jobs = min(jobs, len(calls))
    done = workers.map_as_completed(picture_objects.take_object, calls, jobs)
    with contextlib.closing(done):  # ends the processes after Ctrl-C, too
        for (_, source, _, _, path), outcome in done:
            if isinstance(outcome, workers.ProcessDied):
                why = "its process died, perhaps for lack of memory"
                outcome = Outcome(left_out=[(f"{source.key}/{source.name}", why)])
            outcomes[path] = outcome
            if progress:
                progress(len(outcomes), len(calls))
    return outcomes
