"""Single objects of a data set and their reconstructions, as exhibits of the viewer."""

from __future__ import annotations

import contextlib
import functools
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxsoftras import (
    camera,
    config,
    data,
    mesh,
    models,
    rasterization,
    terminal,
    voxels,
)
from jaxsoftras.models import color
from jaxsoftras.reconstruction import (
    accelerators,
    coloring,
    evaluation_groups,
    evaluation_subject,
    gallery,
    training,
    true_meshes,
)
from jaxsoftras.reconstruction.evaluation_scores import Scores
from jaxsoftras.report import scenes
from jaxsoftras.shapes import dataset
from jaxsoftras.viewer.exhibits import REFERENCE_COLOR, Exhibit, Solid


class Place(NamedTuple):
    """A view of an object.

    Attributes:
        category: key of the category.
        number: number of the object in its category, from 0.
        view: number of the view, from 0.
    """

    category: str
    number: int
    view: int


class Truth(NamedTuple):
    """The true shape of an object, as far as it is known.

    Attributes:
        label: what it is.
        mesh: in the model frame; None if there is none.
        occupied: ``[n, n, n]`` bool, its voxels; None if there are none.
        notes: sentences on what is missing.
    """

    label: str = ""
    mesh: mesh.Mesh | None = None
    occupied: np.ndarray | None = None
    notes: tuple[str, ...] = ()


class Objects:
    """The objects of a split, with whatever is known about them.

    Attributes:
        split: the split.
    """

    def __init__(self, settings: config.Config, name: str, meshes: Path | None):
        """Opens a split.

        Args:
            settings: configuration of the run, with the folder of the data.
            name: name of the split.
            meshes: folder of the meshes that the data set was built from.

        Raises:
            ConfigError, ValueError, OSError: the split cannot be opened.
            ProgramError: it would have to be made.
        """
        source = (*settings.data.sources, settings.data)[0]
        described = Path(source.root, dataset.DESCRIPTION)
        if source.source == "embedded" and not described.is_file():
            raise terminal.ProgramError(
                f"The data set {source.root} of the run is not there: start in the "
                "folder in which it was trained, or name the data set by --data."
            )
        self.split = data.open_split(settings.data, name)
        training.check_image_size(settings, self.split)
        objects = evaluation_groups.list_objects(self.split)
        self._rows = {pair: row for row, pair in enumerate(objects)}
        about = true_meshes.read_description(source)
        self._names = evaluation_groups.list_names(self.split, about)
        self._truths: true_meshes.TrueMeshes | None = None
        with contextlib.suppress(true_meshes.NoMeshes):
            self._truths = true_meshes.find_meshes(source, self.split, objects, meshes)

    def name(self, place: Place) -> str:
        """Number of an object, and its name if it has one."""
        count = self.split.count(place.category)
        text = f"{place.number + 1} of {count}"
        name = self._names[place.category][place.number]
        return text if name == str(place.number) else f"{text}, {name}"

    def find_truth(self, place: Place) -> Truth:
        """Finds the true mesh of an object, or its voxels."""
        key, row = place.category, self._rows[place.category, place.number]
        occupied, notes = None, ()
        if self.split.has_voxels(key):
            occupied = self.split.voxels(key, np.array([place.number]))[0]
        if self._truths is not None:
            surface = self._truths.load(row)
            if surface is not None:
                solid = mesh.Mesh(surface.vertices, surface.faces)
                return Truth("true mesh", solid, occupied)
            reason = self._truths.problems[row].rstrip(".")
            notes = (f"There is no true mesh: {reason}.",)
        if occupied is None or not occupied.any():
            return Truth(occupied=occupied, notes=notes)
        surface = voxels.voxel_surface(occupied)
        solid = mesh.Mesh(surface.vertices, surface.faces)
        return Truth("true voxels", solid, occupied, notes)

    def describe_scores(self, scores: Scores, place: Place) -> list[tuple[str, str]]:
        """Mean scores of an object over its views in an evaluation of this split."""
        row = self._rows[place.category, place.number]
        facts = []
        for name, label in (("iou", "voxel IoU"), ("silhouette_iou", "silhouette IoU")):
            values = scores.columns[name][row][: scores.views[row]].astype(float)
            if np.isfinite(values).any():
                facts.append(f"{label} {np.nanmean(values):.3f}")
        if not facts:
            return []
        text = f"{', '.join(facts)}: means of its views, at step {scores.step:,}"
        return [("Evaluated", text)]

    @functools.cached_property
    def _checksum(self) -> str:
        return evaluation_subject.summarize_data(self.split)

    def has_scores(self, scores: Scores) -> bool:
        """Tells whether an evaluation is of the objects and views of the split."""
        views = [self.split.view_counts(key) for key in self.split.categories]
        keys = [key for key, _ in self._rows]
        return (
            scores.category.tolist() == keys
            and np.array_equal(scores.views, np.concatenate(views))
            and scores.data == self._checksum
        )


class Reconstructor:
    """Reconstructs single objects with a checkpoint, compiled once for all of a run.

    Attributes:
        trained: the network.
    """

    def __init__(self, trained: models.Trained):
        """Makes the functions of a configuration."""
        self.trained = trained
        network = trained.network
        self.faces = network.faces
        self._reconstruct = jax.jit(
            lambda variables, images: network.reconstruct(
                variables, models.to_network_input(images)
            )
        )
        self._cover = jax.jit(self._find_covered)
        devices = accelerators.device_mesh(1, accelerators.find_devices()[:1])
        self._colors = coloring.ColorRenderer(trained.config, network.faces, devices)

    def update(self, trained: models.Trained) -> bool:
        """Takes another checkpoint, if it is of the same network."""
        same = (
            trained.config.model == self.trained.config.model
            and trained.config.render == self.trained.config.render
        )
        if same:
            self.trained = trained
        return same

    def _find_covered(self, vertices: jax.Array, view: camera.Camera) -> jax.Array:
        """Pixels ``[S, S]`` whose centre a face covers."""
        corners = mesh.face_vertices(camera.project(view, vertices), self.faces)
        size = self.trained.config.model.image_size
        return rasterization.silhouette(corners, size, distance="hard") > 0.5

    def reconstruct(self, image: np.ndarray) -> models.Reconstruction:
        """Reconstructs ``[4, S, S]`` uint8; with a leading axis of 1."""
        return self._reconstruct(self.trained.variables, image[None])

    def score(
        self, vertices: jax.Array, image: np.ndarray, view: camera.Camera, truth: Truth
    ) -> list[tuple[str, str]]:
        """IoU of a mesh ``[V, 3]`` with the true voxels, and with the input's shape."""
        if not np.all(np.isfinite(vertices)):
            return [("IoU", "none, as vertices are not finite")]
        facts = []
        occupied = truth.occupied
        if occupied is not None and len(occupied) == voxels.RESOLUTION:
            # compiled: a prediction may reach out of the grid, which needs no warning
            found = jax.jit(voxels.voxelize)(vertices, jnp.asarray(self.faces))
            facts.append(
                ("Voxel IoU", f"{float(voxels.iou(found, jnp.asarray(occupied))):.3f}")
            )
        covered = np.asarray(self._cover(vertices, view))
        target = image[3] >= 128
        either = max(np.sum(covered | target), 1)
        iou = np.sum(covered & target) / either
        facts.append(("Silhouette IoU", f"{iou:.3f}"))
        return facts

    def draw(self, found: models.Reconstruction, view: camera.Camera) -> np.ndarray:
        """Draws a coloured reconstruction, ``[128, 128, 3]`` uint8."""
        cameras = jax.tree.map(lambda part: np.asarray(part)[None, None], view)
        return self._colors.draw_views(found, cameras, gallery.CELL)[0, 0]


def make_exhibit(
    objects: Objects,
    place: Place,
    reconstructor: Reconstructor | None,
    scores: Scores | None,
) -> Exhibit:
    """Shows an object and its reconstruction from one view.

    Args:
        objects: the objects.
        place: object and view.
        reconstructor: the checkpoint; None shows the object alone.
        scores: an evaluation, if there is one.
    """
    split = objects.split
    which = place.category, np.array([place.number]), np.array([place.view])
    image = split.images(*which)[0]
    view = jax.tree.map(lambda part: part[0], split.cameras(*which))
    truth = objects.find_truth(place)
    frame = scenes.choose_frame(np.asarray(view.axes))
    solids, facts, found = [], [], None
    if reconstructor is not None:
        found = reconstructor.reconstruct(image)
        solid = mesh.Mesh(np.asarray(found.vertices[0]), reconstructor.faces)
        if found.colors is not None:
            colors = np.asarray(found.colors[0])
            solid = solid._replace(texture=color.make_texture(colors))
        solids.append(Solid("reconstruction", solid))
        facts = reconstructor.score(found.vertices[0], image, view, truth)
    if truth.mesh is not None:
        solids.append(Solid(truth.label, truth.mesh, REFERENCE_COLOR))
    images = [_draw(solid, view) for solid in solids]
    if reconstructor is not None and found is not None and found.colors is not None:
        images[0] = reconstructor.draw(found, view)
    captions = ["input", *(solid.label for solid in solids)]
    eye = frame @ np.asarray(view.position, float)
    x, y, z = eye.tolist()
    return Exhibit(
        title=f"{split.names[place.category]}, {objects.name(place)}",
        solids=[_turn(solid, frame) for solid in solids],
        images=list(
            zip(captions, [gallery.composite_over_white(image), *images], strict=True)
        ),
        facts=[
            *facts,
            *(objects.describe_scores(scores, place) if scores is not None else []),
            ("Camera", _describe_camera(view)),
        ],
        notes=truth.notes,
        up="+z",
        towards=(x, y, z),
    )


def _draw(solid: Solid, view: camera.Camera) -> np.ndarray:
    """Draws a mesh without its texture, ``[128, 128, 3]`` uint8."""
    vertices = np.asarray(solid.mesh.vertices, np.float32)
    # one at a time, as sizes are rounded up: nearly always the same program
    meshes = gallery.stack_padded([mesh.Mesh(vertices, np.asarray(solid.mesh.faces))])
    cameras = jax.tree.map(lambda part: np.asarray(part)[None], view)
    colors = np.array([solid.color], np.float32)
    drawn = gallery.render_shaded(meshes.vertices, meshes.faces, colors, cameras)
    return np.asarray(drawn[0])


def _turn(solid: Solid, frame: np.ndarray) -> Solid:
    """Turns a mesh of the model frame to that of the viewer."""
    vertices = np.asarray(solid.mesh.vertices, float) @ frame.T
    return solid._replace(mesh=solid.mesh._replace(vertices=vertices))


def _describe_camera(view: camera.Camera) -> str:
    x, y, z = np.asarray(view.position, float)
    azimuth = np.round(np.degrees(np.arctan2(x, -z)) % 360, 1) % 360
    elevation = np.degrees(np.arctan2(y, np.hypot(x, z)))
    return f"azimuth {azimuth:.0f}°, elevation {elevation:.0f}°"
