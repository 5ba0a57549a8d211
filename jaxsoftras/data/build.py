"""Builds a data set from a folder of meshes: ``python -m jaxsoftras.data build``.

Objects are made one by one and kept in ``.partial`` of the data set's folder until all
are there; then they are packed into npz files, which appear together. Several programs
may make parts of one data set.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jaxsoftras import atomic, extras
from jaxsoftras.data import build_discovery, build_images, build_pool, description
from jaxsoftras.data.build_discovery import Discovery, Found
from jaxsoftras.data.build_object import Options
from jaxsoftras.data.build_pool import Outcome, Task
from jaxsoftras.data.split import SPLITS
from jaxsoftras.data.writing import Example, pair_names, write_one_by_one
from jaxsoftras.terminal import Progress

_KEPT = ".partial"
_SETTINGS = "settings.json"
_PROGRAM = "jaxsoftras data build"

FRAME = (
    "Model frame: +y up, front -z, x = up x front of the mesh file, hence a mirror "
    "image; the left-handed cameras mirror it again, and the images show the object as "
    "it is. The bounding box is centred and its longest side is 1. Images: red, green "
    "and blue multiplied by coverage, and coverage. Voxels: axes (y, x, reversed z)."
)
"""Conventions of the data sets, as their descriptions state them."""


@dataclass
class Report:
    """Objects that a build made, and those that it left out.

    Attributes:
        counts: number of objects by key and split; of this part only, if there are
            several.
        names: names of the categories by key.
        left_out: file and reason of what is not in the data set.
        notes: file and note of objects that lack something.
        made: number of objects made now; the others had been made before.
        seconds: time that they took.
        complete: whether the data set has been packed.
    """

    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    left_out: list[tuple[str, str]] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)
    made: int = 0
    seconds: float = 0.0
    complete: bool = False

    @property
    def total(self) -> int:
        """Number of objects of the data set or part."""
        return sum(sum(splits.values()) for splits in self.counts.values())


@dataclass(frozen=True)
class Made:
    """Objects that have been made and kept.

    Attributes:
        report: what was made and what was left out.
        tasks: the objects by file.
        described: content of the description of their data set.
    """

    report: Report
    tasks: dict[str, Task]
    described: dict[str, Any]

    def read(self, key: str, split: str) -> Iterator[Example]:
        """Reads the objects of a category and split, one after another."""
        for entry in self.described["objects"][key][split]:
            yield build_pool.read_example(self.tasks[entry["file"]])


def build(
    meshes: str | Path,
    out: str | Path,
    options: Options = Options(),  # noqa: B008
    *,
    fractions: Sequence[float] = (0.7, 0.1, 0.2),
    metadata: str | Path | None = None,
    jobs: int = 1,
    shard: tuple[int, int] | None = None,
    progress: Progress | None = None,
) -> Report:
    """Builds a data set from a folder with one sub-folder of meshes for each category.

    A mesh that is broken is left out, and the report says why; nothing else stops at
    it. The same call again resumes an interrupted build. A complete data set that an
    earlier build with the same options left in the folder is replaced, unless nothing
    could be built.

    Args:
        meshes: folder of the meshes.
        out: folder of the data set.
        options: how objects are made.
        fractions: shares of train, val and test, where no folders of these names say
            which object belongs to which.
        metadata: a file that names licences; see `build_discovery.read_metadata`.
        jobs: number of processes; 1 for this one alone.
        shard: (i, n) to make only the i-th of n parts, from 1, and not to pack. A
            call without it makes what is still missing, and packs.
        progress: called with the numbers of objects done and to do.

    Returns:
        What was made and what was left out.

    Raises:
        FileNotFoundError: there are no meshes.
        FileExistsError: ``out`` holds something else, or a data set or a part of one
            that is made with other options.
        ValueError: an argument is out of range.
        MissingExtraError: mapbox_earcut or Pillow is not installed.

    Example:
        >>> import pathlib, tempfile
        >>> import jaxsoftras
        >>> from jaxsoftras.data import build, open_split
        >>> from jaxsoftras import config
        >>> folder = tempfile.TemporaryDirectory()
        >>> root = pathlib.Path(folder.name)
        >>> for split in ("train", "test"):
        ...     path = root / "meshes" / "ball" / split / "a.obj"
        ...     path.parent.mkdir(parents=True)
        ...     jaxsoftras.save_mesh(path, jaxsoftras.icosphere(0))
        >>> options = build.Options(views=2, size=16)
        >>> report = build.build(root / "meshes", root / "set", options)
        >>> report.counts, report.left_out
        ({'ball': {'train': 1, 'val': 0, 'test': 1}}, [])
        >>> settings = config.Data(root=str(root / "set"))
        >>> open_split(settings, "test").categories
        ('ball',)
        >>> folder.cleanup()
    """
    found = build_discovery.discover(Path(meshes).resolve(), fractions)
    made = make(
        meshes,
        out,
        found,
        options,
        fractions=fractions,
        metadata=metadata,
        jobs=jobs,
        shard=shard,
        progress=progress,
    )
    if not shard and made.report.total:
        _pack(Path(out).resolve(), made)
        made.report.complete = True
    return made.report


def make(
    meshes: str | Path,
    out: str | Path,
    found: Discovery,
    options: Options,
    *,
    fractions: Sequence[float] = (0.7, 0.1, 0.2),
    metadata: str | Path | None = None,
    jobs: int = 1,
    shard: tuple[int, int] | None = None,
    progress: Progress | None = None,
) -> Made:
    """Makes the objects of a data set that are not there yet, and keeps them.

    Args:
        meshes: folder of the meshes.
        out: folder of the data set, in which they are kept until it is packed.
        found: the meshes.
        options: how objects are made.
        fractions: shares of train, val and test that were asked for.
        metadata: a file that names licences; see `build_discovery.read_metadata`.
        jobs: number of processes; 1 for this one alone.
        shard: (i, n) to make only the i-th of n parts, from 1.
        progress: called with the numbers of objects done and to do.

    Returns:
        The objects, and what is to be said of them.

    Raises:
        FileExistsError, ValueError, MissingExtraError: as `build`.
    """
    # once: each mesh that lacks one of them would be left out
    extras.require("make data sets of meshes", "mapbox_earcut", "PIL")
    root, out = Path(meshes).resolve(), Path(out).resolve()
    _check_arguments(root, out, jobs, shard)
    about = build_discovery.read_metadata(Path(metadata)) if metadata else {}
    kept = _open_kept(out, options, fractions)
    tasks = {
        obj: Task(root / obj.file, kept / build_pool.name_kept(obj.file), options)
        for obj in found.objects
    }
    files = {obj.file for obj in found.objects}
    found.left_out += [
        (file, "the metadata name it, but there is no such mesh")
        for file in sorted(set(about) - files)
    ]
    if shard:
        chosen = list(tasks)[shard[0] - 1 :: shard[1]]
        tasks = {obj: tasks[obj] for obj in chosen}
    outcomes, report = _run(tasks, jobs, progress)
    _fill(report, found, outcomes)
    made_by = {
        "program": _PROGRAM,
        **dataclasses.asdict(options),
        "splits": list(fractions),
        "left_out": [list(row) for row in report.left_out],
    }
    described = _describe(found, outcomes, about, options, made_by)
    return Made(report, {obj.file: task for obj, task in tasks.items()}, described)


def _check_arguments(
    root: Path, out: Path, jobs: int, shard: tuple[int, int] | None
) -> None:
    if jobs < 1:
        raise ValueError(f"There must be at least one process, not {jobs}.")
    if shard and not 1 <= shard[0] <= shard[1]:
        raise ValueError(
            f"Parts are numbered from 1 to n: there is no part {shard[0]} of "
            f"{shard[1]}."
        )
    if out == root or root in out.parents:
        raise ValueError(
            f"The data set must not lie among the meshes: {out} is within {root}."
        )
    if out.is_mount():
        raise ValueError(
            f"{out} is a mount point, which the finished data set could not replace: "
            "choose a folder in it."
        )


def _open_kept(out: Path, options: Options, fractions: Sequence[float]) -> Path:
    """Makes the folder of finished objects, or checks the one that is there."""
    settings = {**dataclasses.asdict(options), "splits": list(fractions)}
    kept = out / _KEPT
    description.check_replaceable(
        out, _PROGRAM, pair_names, kind="that was built", others=[_KEPT]
    )
    about = description.read(out)
    if about and (other := _name_others(about.content["made_by"], settings)):
        raise FileExistsError(
            f"{out} holds a data set that was built with another {other}: use the "
            "same, remove it, or choose another folder."
        )
    try:
        before = json.loads((kept / _SETTINGS).read_text())
    except FileNotFoundError:
        kept.mkdir(parents=True, exist_ok=True)
        with atomic.file(kept / _SETTINGS) as partial:
            partial.write_text(json.dumps(settings))
        return kept
    except ValueError:
        before = {}
    if before != settings:
        raise FileExistsError(
            f"{out} holds a part of a data set that is built with another "
            f"{_name_others(before, settings)}: use the same, or delete {kept}."
        )
    return kept


def _name_others(before: Mapping[str, Any], settings: Mapping[str, Any]) -> str:
    """Names the settings that were others before; empty if none was."""
    return " and ".join(k for k, value in settings.items() if before.get(k) != value)


def _run(
    tasks: Mapping[Found, Task], jobs: int, progress: Progress | None
) -> tuple[dict[Found, Outcome], Report]:
    """Makes the objects that are not there yet."""
    outcomes = {obj: build_pool.find_outcome(task) for obj, task in tasks.items()}
    known = {obj: outcome for obj, outcome in outcomes.items() if outcome is not None}
    objects = {task: obj for obj, task in tasks.items() if obj not in known}
    report = Report(made=len(objects))
    start = time.monotonic()
    if progress and objects:
        progress(len(known), len(tasks))
    made = build_pool.run_all(list(objects), min(jobs, len(objects)))
    with contextlib.closing(made):  # ends the processes after Ctrl-C, too
        for task, outcome in made:
            known[objects[task]] = outcome
            if progress:
                progress(len(known), len(tasks))
    report.seconds = time.monotonic() - start
    return {obj: known[obj] for obj in tasks}, report


def _fill(report: Report, found: Discovery, outcomes: Mapping[Found, Outcome]) -> None:
    report.names = found.names
    report.left_out = list(found.left_out)
    for obj, outcome in outcomes.items():
        if outcome.error:
            report.left_out.append((obj.file, outcome.error))
            continue
        counts = report.counts.setdefault(obj.key, dict.fromkeys(SPLITS, 0))
        counts[obj.split] = counts.get(obj.split, 0) + 1
        report.notes += [(obj.file, note) for note in outcome.notes]


def _describe(
    found: Discovery,
    outcomes: Mapping[Found, Outcome],
    about: Mapping[str, Mapping[str, str]],
    options: Options,
    made_by: Mapping[str, Any],
) -> dict[str, Any]:
    """The content of the description file."""
    objects: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for obj, outcome in outcomes.items():
        if outcome.error:
            continue
        entry: dict[str, Any] = {"name": obj.name, **about.get(obj.file, {})}
        entry["file"] = obj.file
        if outcome.notes:
            entry["notes"] = list(outcome.notes)
        objects.setdefault(obj.key, {}).setdefault(obj.split, []).append(entry)
    return {
        "format": description.FORMAT,
        "version": description.VERSION,
        "categories": {key: found.names[key] for key in objects},
        "camera": {
            "kind": "orbit",
            "distance": build_images.DISTANCE,
            "elevation": options.elevation,
            "azimuth_step": -360 / options.views,
            "half_fov": build_images.HALF_FOV,
            "views": options.views,
            "handedness": "left",
        },
        "frame": FRAME,
        "image_size": options.size,
        "objects": objects,
        "made_by": dict(made_by),
    }


def _pack(out: Path, made: Made) -> None:
    """Replaces the folder by the packed data set."""
    with atomic.folder(out, last=description.FILE) as folder:
        for key, splits in made.described["objects"].items():
            for split, entries in splits.items():
                examples = made.read(key, split)
                write_one_by_one(folder, key, split, examples, len(entries))
        description.write(folder, made.described)
