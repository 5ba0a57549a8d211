"""The data set that a run began with: ``data.json``, to notice another one."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxsoftras import atomic, config, data
from jaxsoftras.data import agreement
from jaxsoftras.data.mixture import Mixture

FILE = "data.json"
_OBJECTS = 16  # of each category, whose first and last images are compared


Described = list[dict[str, Any]]
"""See `describe`."""


def check(
    workdir: Path, source: data.Split | data.Mixture, *, begun: bool
) -> Described:
    """Checks the data of a run that begins, or whose data set has changed.

    A folder that has moved or was converted to another storage holds the same data set.

    Args:
        workdir: the run folder; nothing is written.
        source: the objects to train on.
        begun: whether the run has checkpoints.

    Returns:
        The description of the data set, for `save`.

    Raises:
        ValueError: see `jaxsoftras.data.agreement.check_agreement`.
    """
    described = describe(source)
    if begun:
        before = _read(workdir / FILE)
        if before is None or before == described:
            return described
        warnings.warn(
            "The data set is not the one that this run began with: the steps that are "
            "left have other batches than they would have had.",
            stacklevel=2,
        )
    agreement.check_agreement(source)
    return described


def is_another(workdir: Path, settings: config.Data, keys: Sequence[str]) -> bool:
    """Whether a data set is another one than a run began with.

    The smallest of the categories is compared, whose training images may be read as a
    whole for that. A data set without them is another.

    Args:
        workdir: the run folder. If it holds no description, nothing can be told.
        settings: source and folder of the data set.
        keys: keys of the categories that matter.
    """
    if (before := _read(workdir / FILE)) is None:
        return False
    known = [entry for entry in before if entry["category"] in keys]
    if not known:
        return True
    smallest = min(known, key=lambda entry: entry["objects"])["category"]
    try:
        source = data.open_training_set(
            dataclasses.replace(settings, categories=(smallest,))
        )
    except (FileNotFoundError, ValueError):
        return True
    return not all(entry in before for entry in describe(source))


def save(workdir: Path, described: Described) -> None:
    """Writes what describes the data set to a claimed run folder."""
    with atomic.file(workdir / FILE) as partial:
        partial.write_text(json.dumps(described, indent=1) + "\n")


def describe(source: data.Split | data.Mixture) -> Described:
    """Describes the categories of a data set, with a checksum of some images.

    Args:
        source: the objects to train on.
    """
    described = []
    for split, key in Mixture.of(source).groups:
        count = split.count(key)
        chosen = np.unique(np.linspace(0, count - 1, _OBJECTS).astype(int))
        last = split.view_counts(key)[chosen] - 1
        checksum = hashlib.blake2b(digest_size=16)
        for views in (np.zeros_like(last), last):
            checksum.update(split.images(key, chosen, views).tobytes())
        described.append(
            {
                "category": key,
                "objects": count,
                "views": int(split.view_counts(key).sum()),
                "images": checksum.hexdigest(),
            }
        )
    return described


def _read(path: Path) -> list[Any] | None:
    """Reads a description; None for a run of an earlier version, or a damaged file."""
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
