"""Numbers of all meshes in a folder: ``predictions.json``."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jaxsoftras import atomic, strict_json
from jaxsoftras.prediction.predictor import Prediction
from jaxsoftras.prediction.viewpoints import Orbit

FILE = "predictions.json"


class Outcome(NamedTuple):
    """Result of one picture, or the reason why there is none.

    Attributes:
        picture: its file.
        name: name of the results.
        mask: where its mask comes from; see `pictures.Picture`.
        prediction: the mesh; None if the picture cannot be used.
        notes: what the user should know; the reason if there is no mesh.
    """

    picture: Path
    name: str
    mask: str
    prediction: Prediction | None
    notes: tuple[str, ...]


def write(folder: Path, outcomes: Sequence[Outcome], orbit: Orbit, format: str) -> None:
    """Writes the numbers of meshes, after those of earlier calls that are still there.

    Earlier numbers of the same picture or mesh file are left out. A file that is no
    such list is replaced, with a warning.

    Args:
        folder: of the results.
        outcomes: of the pictures.
        orbit: cameras of the predictor.
        format: suffix of the meshes.
    """
    made = [
        {
            "picture": str(outcome.picture),
            "mesh": f"{outcome.name}.{format}",
            "mask": outcome.mask,
            "silhouette_iou": round(outcome.prediction.iou, 4),
            "unrefined_silhouette_iou": round(outcome.prediction.unrefined_iou, 4),
            "azimuth": round(outcome.prediction.azimuth, 2) % 360,
            "elevation": round(outcome.prediction.elevation, 2),
            "distance": orbit.distance,
            "notes": outcome.notes,
        }
        for outcome in outcomes
        if outcome.prediction
    ]
    pictures = {entry["picture"] for entry in made}
    meshes = {entry["mesh"] for entry in made}
    earlier = [
        entry
        for entry in _read(folder / FILE)
        if entry["picture"] not in pictures
        and entry["mesh"] not in meshes
        and (folder / entry["mesh"]).is_file()
    ]
    content = {
        "elevation": orbit.elevation,
        "distance": orbit.distance,
        "predictions": [*earlier, *made],
        "left_out": [
            {"picture": str(outcome.picture), "reason": outcome.notes[0]}
            for outcome in outcomes
            if not outcome.prediction
        ],
    }
    with atomic.file(folder / FILE) as partial:
        partial.write_text(
            strict_json.dumps(content, indent=1) + "\n", encoding="ascii"
        )


def _read(path: Path) -> list[dict[str, Any]]:
    """Entries of earlier calls, each with the distance of its camera."""
    try:
        content = json.loads(path.read_bytes())
        # an earlier version named the distance once
        distance = {"distance": content["distance"]}
        entries = [distance | entry for entry in content["predictions"]]
        if all(isinstance(e[k], str) for e in entries for k in ("picture", "mesh")):
            return entries
    except FileNotFoundError:
        return []
    except (ValueError, TypeError, KeyError, RecursionError):
        pass
    warnings.warn(
        f"{path} was no list of predictions and is replaced: meshes of earlier calls "
        "are not in it.",
        stacklevel=2,
    )
    return []
