"""The model card, ``README.md`` of a model file."""

from __future__ import annotations

import string
from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxsoftras import models
from jaxsoftras.model_files import contents, exporting

_CARD = string.Template("""\
# Single-image 3D reconstruction network

A network of jaxsoftras, after Soft Rasterizer (Liu et al., 2019, arXiv:1904.01786). It
maps one $size x $size RGBA image of an object to the $vertices vertices of a closed
triangle mesh.

| | |
|---|---|
| licence | $license |
| parameters | $parameters, stored as $storage |
| architecture | encoder `$encoder`; all sizes under `model` in `config.json` |
| training steps | $step |
| input | RGBA, 0 to 1, colours multiplied by opacity$inverted; framed as in training |
| output | vertices in [-0.5, 0.5], +y up, front at -z, mirrored: negate z to unmirror |
| written by | $versions |

## Origin

$origin

## Results

$results

## Use

With jaxsoftras:

    jaxsoftras predict photo.jpg --model THIS_FILE.zip --out meshes

With jax, flatbuffers and safetensors alone, on $platforms:

    import zipfile
    import jax, jax.export
    import safetensors.numpy

    archive = zipfile.ZipFile("THIS_FILE.zip")
    arrays = safetensors.numpy.load(archive.read("$arrays"))
    function = jax.export.deserialize(bytearray(archive.read("$function")))
    # [N, $size, $size, 4] float32 to [N, $vertices, 3]
    vertices = function.call(arrays, images)

The faces, for all meshes the same, are those of `jaxsoftras.icosphere($level)`.
""")


def write(
    trained: models.Trained,
    arrays: Mapping[str, np.ndarray],
    about: Mapping[str, Any],
    metrics: Mapping[str, Mapping[str, Any]],
    origin: str,
) -> str:
    """Writes a model card in Markdown.

    Args:
        trained: the network.
        arrays: its arrays, as they are stored.
        about: content of ``model.json``.
        metrics: results by split.
        origin: how the network was made.
    """
    sizes = trained.config.model
    parameters = sum(
        array.size for name, array in arrays.items() if name.startswith("params.")
    )
    return _CARD.substitute(
        size=sizes.image_size,
        vertices=10 * 4**sizes.template_level + 2,
        license=about["license"],
        parameters=f"{parameters:,}",
        storage=about["storage"],
        encoder=sizes.encoder,
        step=f"{trained.step:,}" if trained.step else "not stated",
        inverted=" and inverted (opacity - colour)" if trained.inverted else "",
        versions=", ".join(f"{k} {v}" for k, v in about["versions"].items()),
        origin=origin or "Not stated.",
        results=_tabulate(metrics) if metrics else "Not evaluated.",
        platforms=", ".join(exporting.PLATFORMS),
        arrays=contents.ARRAYS,
        function=contents.FUNCTION,
        level=sizes.template_level,
    )


def _tabulate(metrics: Mapping[str, Mapping[str, Any]]) -> str:
    """A table of the mean and of each category, for each split."""
    lines = [
        "| split | category | objects | IoU of voxels | IoU of silhouettes |",
        "|---|---|---|---|---|",
    ]
    for split, values in metrics.items():
        rows = list(values["per_category"].values())
        total = {
            "name": "mean of categories",
            "objects": sum(row["objects"] for row in rows),
            "iou": values["mean_iou"],
            "silhouette_iou": values["mean_silhouette_iou"],
        }
        lines += [
            f"| {split} | {row['name']} | {row['objects']} | {_format(row['iou'])} | "
            f"{_format(row['silhouette_iou'])} |"
            for row in (total, *rows)
        ]
    return "\n".join(lines)


def _format(number: float | None) -> str:
    return "none" if number is None else f"{number:.4f}"
