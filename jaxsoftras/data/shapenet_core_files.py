"""Finds the models of ShapeNetCore, version 1 or 2, and their official splits."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jaxsoftras.data.build_discovery import Discovery, Found, choose_split
from jaxsoftras.data.categories import CATEGORIES
from jaxsoftras.data.split import SPLITS

SPLIT_FILE = "all.csv"
"""Name under which the official splits are distributed."""

_MODELS = {1: "model.obj", 2: "models/model_normalized.obj"}
_TAXONOMY = "taxonomy.json"
_COLUMNS = {"synsetId", "modelId", "split"}

FRONTS = {1: "+X", 2: "-Z"}
"""Direction that the front of an object faces, by version; +Y is up."""


@dataclass(frozen=True)
class Core:
    """Models that were found.

    Attributes:
        version: 1 or 2.
        found: the models, and what was left out.
    """

    version: int
    found: Discovery


def discover(
    root: Path,
    splits: Mapping[tuple[str, str], str] | None,
    fractions: Sequence[float] = (0.7, 0.1, 0.2),
) -> Core:
    """Finds models: ``SYNSET/ID/model.obj``, or ``models/model_normalized.obj`` there.

    Args:
        root: folder of the synsets.
        splits: split by synset and ID; a model that it does not name is left out. If
            None, a hash of the ID draws the split.
        fractions: shares of train, val and test that are drawn.

    Raises:
        FileNotFoundError: no folder, or no model in it.
        ValueError: models of both versions.
    """
    if not root.is_dir():
        raise FileNotFoundError(f"There is no folder {root}.")
    found = Discovery()
    versions: dict[int, str] = {}
    unnamed = 0
    missing = {} if splits is None else dict(splits)
    for synset in sorted(root.iterdir()):
        if not (synset.is_dir() and re.fullmatch(r"\d{8}", synset.name)):
            continue
        for folder in sorted(path for path in synset.iterdir() if path.is_dir()):
            place = f"{synset.name}/{folder.name}"
            version = next((v for v, m in _MODELS.items() if (folder / m).exists()), 0)
            if not version:
                names = " or ".join(_MODELS.values())
                found.left_out.append((ascii(place)[1:-1], f"it has no {names}"))
                continue
            if not place.isascii():
                found.left_out.append((ascii(place)[1:-1], "its name is not an ID"))
                continue
            versions[version] = place
            if splits is None:
                split = choose_split(folder.name, fractions)
            elif not (split := splits.get((synset.name, folder.name), "")):
                unnamed += 1
                continue
            missing.pop((synset.name, folder.name), None)
            file = f"{place}/{_MODELS[version]}"
            found.objects.append(Found(synset.name, split, folder.name, file))
    if len(versions) > 1:
        raise ValueError(
            f"{root} mixes versions of ShapeNetCore: {versions[1]} is of version 1, "
            f"{versions[2]} of version 2."
        )
    if not versions:
        raise FileNotFoundError(
            f"{root} has no models SYNSET/ID/{_MODELS[1]} or SYNSET/ID/{_MODELS[2]}."
        )
    if not found.objects:
        raise ValueError(f"The list of splits names no model in {root}.")
    used = {model.key for model in found.objects}
    absent = sum(synset in used for synset, _ in missing)
    for count, reason in [
        (unnamed, "the list of splits does not name them"),
        (absent, "the list of splits names them, and they are not there"),
    ]:
        if count:
            found.left_out.append((f"models: {count}", reason))
    found.names = _name(root, used)
    return Core(next(iter(versions)), found)


def read_splits(path: Path) -> dict[tuple[str, str], str]:
    """Reads the official list of splits.

    Args:
        path: CSV with the columns ``synsetId``, ``modelId`` and ``split``; others are
            passed over.

    Returns:
        The split by synset and ID.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not such a list, or names a model in two splits.

    Example:
        >>> import pathlib, tempfile
        >>> from jaxsoftras.data import shapenet_core_files
        >>> folder = tempfile.TemporaryDirectory()
        >>> path = pathlib.Path(folder.name, "all.csv")
        >>> rows = ["id,synsetId,subSynsetId,modelId,split", "1,3001627,3002210,a1,val"]
        >>> _ = path.write_text(chr(10).join(rows))
        >>> shapenet_core_files.read_splits(path)
        {('03001627', 'a1'): 'val'}
        >>> folder.cleanup()
    """
    splits: dict[tuple[str, str], str] = {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.DictReader(file)
            if missing := _COLUMNS - set(rows.fieldnames or ()):
                raise ValueError(f"it has no column {min(missing)}")
            for row in rows:
                synset, model, split = row["synsetId"], row["modelId"], row["split"]
                if split not in SPLITS or not synset or not model:
                    raise ValueError(
                        f"its line {rows.line_num} names no model in "
                        f"{', '.join(SPLITS)}"
                    )
                key = synset.zfill(8), model
                if splits.setdefault(key, split) != split:
                    raise ValueError(f"it has {synset}/{model} in two splits")
    except (ValueError, csv.Error) as error:
        raise ValueError(f"{path} is not a list of splits: {error}.") from None
    return splits


def _name(root: Path, keys: set[str]) -> dict[str, str]:
    """Names categories: the 13 of the benchmark as there, others by the taxonomy."""
    names = dict(CATEGORIES)
    try:
        for entry in json.loads((root / _TAXONOMY).read_text(encoding="utf-8")):
            word = entry["name"].partition(",")[0]
            names.setdefault(entry["synsetId"], re.sub(r"[^\w -]", "", word))
    except FileNotFoundError:
        pass
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise ValueError(
            f"{root / _TAXONOMY} is not ShapeNet's: delete it to have categories named "
            "by their numbers."
        ) from None
    chosen = {key: names.get(key) or key for key in sorted(keys)}
    words = list(chosen.values())
    return {
        key: word if words.count(word) == 1 else key for key, word in chosen.items()
    }
