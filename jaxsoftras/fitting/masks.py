"""A mesh from a user's masks with known cameras, and the files of the result."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from jaxsoftras import atomic, camera, config, mesh, meshfile, terminal, texture
from jaxsoftras.data import picture_objects
from jaxsoftras.fitting import colors, pairing, turntable, views
from jaxsoftras.fitting.silhouettes import Options, fit_silhouettes
from jaxsoftras.fitting.views import Frame, View
from jaxsoftras.prediction import drawing, inputs

SUFFIXES = (".glb", ".obj", ".ply", ".stl")
"""Formats of the mesh."""

LOW = 0.6
"""IoU below which a mesh hardly shows a view's object."""

_FAR_BELOW = 0.8  # of the median IoU, below which a view differs from the others


class MaskFit(NamedTuple):
    """A mesh fitted to the masks of one object.

    Attributes:
        mesh: vertices ``[V, 3]`` in the world of the cameras, faces, and the colours
            at the vertices or None.
        pictures: the N files.
        iou: ``[N]`` intersection over union with each mask, 0 to 1, in the square
            around the object.
        cameras: N cameras, in the world in which the object is in the unit box.
        notes: what the user should know, in sentences.
    """

    mesh: mesh.Mesh
    pictures: list[Path]
    iou: np.ndarray
    cameras: camera.Camera
    notes: list[str]

    @property
    def low(self) -> np.ndarray:
        """Views ``[N]`` that the mesh does not fit, or much less than the others."""
        least = max(LOW, _FAR_BELOW * float(np.median(self.iou)))
        return self.iou < least


def fit_masks(
    paths: Sequence[Path],
    cameras: Path,
    options: Options,
    settings: config.Config,
    *,
    size: int = 128,
    keep_frame: bool = False,
    color: bool = False,
    progress: terminal.Progress | None = None,
) -> MaskFit:
    """Fits a mesh to masks, or pictures with masks, of one object.

    Args:
        paths: the files, and folders of them; see `views.read_view`.
        cameras: see `pairing.read_cameras`; names are matched by `pairing.pair`.
        options: what is optimised, and for how long.
        settings: weights of the loss, settings of the rasterizer, and template.
        size: width and height of the squares around the object, pixels.
        keep_frame: whether the object is in the unit box of the world already.
            Otherwise the box of its visual hull is found.
        color: whether to give the vertices colours of the pictures.
        progress: called with the numbers of steps taken and to take.

    Raises:
        ProgramError: a file, a camera or all together cannot be used.
        OSError: a file cannot be read.
    """
    pictures = inputs.list_pictures(paths)
    for path in pictures:
        if not path.is_file():
            raise terminal.ProgramError(f"There is no file {path}.")
    parsers = pairing.read_cameras(cameras)
    names = pairing.pair(pictures, list(parsers))
    taken = views.read_views(pictures, names, parsers, size)
    notes = [f"{view.path}: {note}." for view in taken for note in view.notes]
    if unused := len(parsers) - len(taken):
        notes.append(f"{unused} of {len(parsers)} cameras have no mask here.")
    if color and not any(view.colored for view in taken):
        raise terminal.ProgramError(
            "--color needs pictures with transparency, or with masks beside them; "
            f"{taken[0].path} is a mask alone."
        )
    frame = views.find_frame(taken, keep_frame)
    notes += _list_outside(taken, frame)
    made = views.make_cameras(taken, frame)
    images = np.stack([view.image for view in taken])
    fit = fit_silhouettes(
        images[None, ..., 3], made, options, settings, progress=progress
    )
    solid = mesh.Mesh(frame.to_world(fit.vertices[0]), fit.faces)
    if color:
        chosen = np.array([view.colored for view in taken])
        found = colors.fit_colors(
            fit.vertices[0],
            fit.faces,
            images[chosen],
            jax.tree.map(lambda part: part[chosen], made),
            settings.render.implementation,
        )
        solid = solid._replace(texture=texture.VertexColors(found))
        if without := int(np.sum(~chosen)):
            notes.append(f"{without} of {len(chosen)} files have no colours.")
    return MaskFit(solid, pictures, fit.iou[0], made, notes)


def _list_outside(taken: Sequence[View], frame: Frame) -> list[str]:
    """A note on views in which the object reaches beyond the unit box, if any."""
    outside = [
        view.path.name
        for view in taken
        if picture_objects.leaves_unit_box(
            view.silhouette._replace(
                translation=picture_objects.move_world(
                    view.camera, frame.middle, frame.longest
                ).translation
            )
        )
    ]
    if not outside:
        return []
    return [
        f"In {len(outside)} of {len(taken)} views, such as {outside[0]}, the object "
        "reaches beyond the box that the mesh is confined to: cameras or masks are "
        "inexact, or --keep-frame is wrong."
    ]


def check_out(
    out: Path, folders: Sequence[Path], read: Sequence[Path], color: bool
) -> None:
    """Checks the name of the file to write, and that its folder can be written to.

    Args:
        out: the mesh.
        folders: folders of masks, among which the turntable would count as one.
        read: files that are read.
        color: whether the mesh has colours.

    Raises:
        ProgramError: it has no suffix of a mesh, or of one without colours, is a
            folder, or would lie among the masks or replace what is read.
        OSError: its folder cannot be written to.
    """
    if out.suffix.lower() not in SUFFIXES:
        raise terminal.ProgramError(
            f"--out {out} must name a mesh file, which ends in one of "
            f"{', '.join(SUFFIXES)}."
        )
    if color and out.suffix.lower() == ".stl":
        raise terminal.ProgramError(
            f"{out} cannot hold colours: choose .glb, .obj or .ply, or leave out "
            "--color."
        )
    if out.is_dir():
        raise terminal.ProgramError(f"{out} is a folder; choose another --out.")
    if out.parent.resolve() in {path.resolve() for path in folders}:
        raise terminal.ProgramError(
            f"{out} would lie among the masks; choose an --out in another folder."
        )
    names = {path.resolve() for path in read}
    for path in list_files(out):
        if path.resolve() in names:
            raise terminal.ProgramError(
                f"{path} would be replaced, which is read; choose another --out."
            )
    above = next(path for path in out.absolute().parents if path.exists())
    if not above.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "Not a folder", str(above))
    if not os.access(above, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, "Permission denied", str(above))


def list_files(out: Path) -> tuple[Path, Path]:
    """The files of a result: the mesh, and its turntable."""
    return out, out.with_name(f"{out.stem}_turntable.gif")


def write(fit: MaskFit, out: Path) -> None:
    """Writes the mesh and its turntable, both or neither; see `list_files`."""
    frames = turntable.draw(fit.mesh, turntable.find_axes(fit.cameras))
    with atomic.files(list_files(out)) as (path, animation):
        meshfile.save_mesh(path, fit.mesh)
        drawing.save_turntable(frames, animation)
