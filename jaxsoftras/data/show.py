"""Contents of a data set, and images and voxels in it that deserve a look.

Objects are read one after another, so that a data set of any size can be looked at.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from jaxsoftras.data.categories import sort_keys
from jaxsoftras.data.rig import Orbit
from jaxsoftras.data.source import Contents
from jaxsoftras.terminal import Progress

CHECKS = {
    "border": "silhouette touches the border",
    "empty": "silhouette is empty",
    "full": "silhouette fills the image",
    "bright": "colours exceed the coverage",
    "no cells": "voxel grid is empty",
    "all cells": "voxel grid is full",
    "leaked": "same images in another split",
    "repeated": "same images in the same split",
}
"""Findings by name. A pixel belongs to the silhouette if its coverage is a half or
more."""

PER_PICTURE = "one for each picture"
"""The cameras of a `Summary` where they are not those of a rig."""

_NAMED = 3  # objects of a finding


@dataclass
class Summary:
    """The content of a data set.

    Attributes:
        storage: storage format.
        names: names of the categories by key, in order.
        counts: number of objects by split and key.
        sizes: numbers of views and image sizes, pixels, that occur; of objects that
            differ, the largest number of views.
        cameras: the cameras, in words.
        without_voxels: splits in which not all objects have voxels.
        licences: number of objects by licence; those of which none is known are under
            the empty word.
        made_by: program that made the data set, or an empty word.
    """

    storage: str
    names: dict[str, str]
    counts: dict[str, dict[str, int]]
    sizes: list[tuple[int, int]]
    cameras: str
    without_voxels: list[str]
    licences: dict[str, int]
    made_by: str


@dataclass
class Finding:
    """Where one of `CHECKS` found something.

    Attributes:
        images: number of images; 0 for a check of whole objects.
        objects: number of objects.
        examples: the first few of them.
    """

    images: int = 0
    objects: int = 0
    examples: list[str] = field(default_factory=list)


def summarize(contents: Contents) -> Summary:
    """Summarizes a data set by what its headers and its description say."""
    storage, about, splits = contents
    names = {key: name for s in splits.values() for key, name in s.names.items()}
    counts = {
        split: {key: opened.count(key) for key in opened.categories}
        for split, opened in splits.items()
    }
    licences = Counter()
    for split, members in counts.items():
        for key, count in members.items():
            listed = about.objects.get(key) if about else None
            entries = listed[split] if listed else [{}] * count
            licences.update(str(entry.get("license", "")) for entry in entries)
    made_by = about.content.get("made_by") if about else None
    return Summary(
        storage=storage,
        names={key: names[key] for key in sort_keys(names)},
        counts=counts,
        sizes=sorted({(s.num_views, s.image_size) for s in splits.values()}),
        cameras=_describe_cameras(contents),
        without_voxels=[
            split
            for split, opened in splits.items()
            if not all(map(opened.has_voxels, opened.categories))
        ],
        licences=dict(licences.most_common()),
        made_by=str(made_by.get("program", "")) if isinstance(made_by, dict) else "",
    )


def name_object(contents: Contents, split: str, key: str, number: int) -> str:
    """Names an object within its category: as the description does, or by number."""
    about = contents.about
    listed = about.objects.get(key) if about else None
    return listed[split][number]["name"] if listed else str(number)


def survey(
    contents: Contents,
    *,
    progress: Progress | None = None,
    visit: Callable[[str, str, int, np.ndarray], None] | None = None,
) -> dict[str, Finding]:
    """Looks at all images and voxels.

    Args:
        contents: the data set.
        progress: called with the numbers of objects done and to do.
        visit: called for each object with its split, the key of its category, its
            number and its images ``[V, 4, S, S]``.

    Returns:
        The findings, by the keys of `CHECKS`.

    Raises:
        ValueError: a damaged file.
    """
    findings = {check: Finding() for check in CHECKS}
    seen: dict[bytes, tuple[str, str]] = {}  # the first split and object with images
    counts = summarize(contents).counts
    total, done = sum(sum(members.values()) for members in counts.values()), 0
    for split, opened in contents.splits.items():
        for key in opened.categories:
            for number, (images, voxels) in enumerate(opened.examples(key)):
                name = name_object(contents, split, key, number)
                label = f"{opened.names[key]}/{split}/{name}"
                for check, count in check_images(images).items():
                    _note(findings[check], label, images=count)
                if voxels is not None:
                    _note(findings["no cells"], label, objects=not voxels.any())
                    _note(findings["all cells"], label, objects=bool(voxels.all()))
                digest = hashlib.blake2b(images.tobytes(), digest_size=16).digest()
                first, twin = seen.setdefault(digest, (split, label))
                if twin != label:
                    check = "repeated" if first == split else "leaked"
                    _note(findings[check], f"{label} = {twin}", objects=True)
                if visit:
                    visit(split, key, number, images)
                done += 1
                if progress:
                    progress(done, total)
    return findings


def check_images(images: np.ndarray) -> dict[str, int]:
    """Counts the images of an object that deserve a look, by the keys of `CHECKS`.

    Args:
        images: ``[V, 4, S, S]`` uint8.
    """
    colors, coverage = images[:, :3], images[:, 3]
    inside = coverage >= 128
    border = inside[:, [0, -1]].any((1, 2)) | inside[:, :, [0, -1]].any((1, 2))
    full = inside.all((1, 2))
    return {
        "border": int((border & ~full).sum()),
        "empty": int((~inside.any((1, 2))).sum()),
        "full": int(full.sum()),
        "bright": int((colors > coverage[:, None]).any((1, 2, 3)).sum()),
    }


def _note(
    finding: Finding, label: str, *, images: int = 0, objects: bool = False
) -> None:
    finding.images += images
    if images or objects:
        finding.objects += 1
        if len(finding.examples) < _NAMED:
            finding.examples.append(label)


def _describe_cameras(contents: Contents) -> str:
    about = contents.about
    rigs = {split.orbit for split in contents.splits.values()}
    if len(rigs) > 1 or None in rigs:
        return PER_PICTURE
    [rig] = rigs
    assert isinstance(rig, Orbit)
    words = (
        f"azimuth {rig.azimuth_step:g} k, elevation {rig.elevation:g}, distance "
        f"{rig.distance:g}, field of view {2 * rig.half_fov:g} degrees, "
        f"{rig.handedness}-handed"
    )
    if about is None or "camera" not in about.content:
        words += " (assumed; nothing states them)"
    return words


def check_split(contents: Contents, root: str | Path, wanted: str | None) -> str:
    """Chooses a split: the wanted one, or else train or the first that there is.

    Raises:
        ValueError: there is no such split.
    """
    there = list(contents.splits)
    if wanted is None:
        return "train" if "train" in there else there[0]
    if wanted not in there:
        raise ValueError(f"{root} has no split {wanted!r}, but {', '.join(there)}.")
    return wanted
