"""Galleries and meshes that an evaluation writes."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxsoftras import atomic, config, meshfile
from jaxsoftras.mesh import Mesh
from jaxsoftras.models import color
from jaxsoftras.reconstruction import color_gallery, gallery
from jaxsoftras.reconstruction.evaluation_scores import Scores
from jaxsoftras.reconstruction.evaluation_subject import Subject

MOST_ROWS = 100
"""Rows that ``colors.png`` has at most: all are drawn at once, and kept in memory."""


class Pictures(NamedTuple):
    """Rows of the galleries.

    Attributes:
        examples: rows of ``gallery.png``.
        colored: rows of ``colors.png``; empty for a network without colours.
    """

    examples: list[gallery.Example]
    colored: list[color_gallery.Row]


def check_count(count: int | None, settings: config.Config) -> None:
    """Raises ValueError unless ``colors.png`` can have a number of rows.

    Args:
        count: see `color_gallery.choose`.
        settings: configuration of the network.
    """
    if count is None:
        return
    if not 1 <= count <= MOST_ROWS:
        raise ValueError(f"--color-gallery must be from 1 to {MOST_ROWS}, not {count}.")
    if settings.model.color == "none":
        raise ValueError(
            "--color-gallery is for a network with colours, and this one has none: "
            "leave the option out."
        )


def make(subject: Subject, scores: Scores, color_count: int | None) -> Pictures:
    """Reconstructs the objects that the galleries show.

    Args:
        subject: what was evaluated.
        scores: its scores.
        color_count: see `color_gallery.choose`.
    """
    examples = gallery.reconstruct(
        subject.experiment, subject.variables, subject.split, subject.sigma
    )
    if subject.settings.model.color == "none":
        return Pictures(examples, [])
    choices = color_gallery.choose(scores, color_count)
    return Pictures(examples, color_gallery.reconstruct(subject, scores, choices))


def write(folder: Path, pictures: Pictures, faces: np.ndarray) -> str:
    """Writes the galleries, and the meshes of ``gallery.png``.

    Args:
        folder: the folder to write to.
        pictures: what the galleries show.
        faces: ``[F, 3]`` vertex indices, the topology of all reconstructions.

    Returns:
        The names of the files, for a sentence.
    """
    with atomic.file(folder / "gallery.png") as path:
        gallery.sheet(pictures.examples, faces).save(path)
    for example in pictures.examples:
        mesh = Mesh(example.vertices, faces)
        meshfile.save_mesh(folder / f"{example.name}.obj", mesh)
        if example.colors is not None:
            mesh = mesh._replace(texture=color.make_texture(example.colors))
            meshfile.save_mesh(folder / f"{example.name}.glb", mesh)
    files = f"gallery.png, {len(pictures.examples)} OBJ files"
    if not pictures.colored:
        return files
    with atomic.file(folder / "colors.png") as path:
        color_gallery.sheet(pictures.colored).save(path)
    return f"colors.png, {files}, the same in colour as GLB"
