"""Predicts meshes from pictures with a trained network."""

from __future__ import annotations

import functools
import math
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxsoftras import camera, mesh, models, terminal, texture
from jaxsoftras.models import color
from jaxsoftras.prediction import arguments, pictures, refinement, viewpoints
from jaxsoftras.prediction.pictures import Picture
from jaxsoftras.prediction.viewpoints import AZIMUTHS, Orbit

_MIRROR = np.array([1, 1, -1], np.float32)  # from the model frame
_HALF = 128  # coverage of a pixel of the silhouette, as uint8


class Prediction(NamedTuple):
    """A mesh from a picture.

    Attributes:
        mesh: vertices ``[V, 3]``, longest side about 1, and faces: right-handed, +y up,
            the front at +z, as glTF has it. Its texture is what the network predicts, a
            `VertexColors` or `SurfaceTexture`; None if that has no colours.
        image: ``[4, S, S]`` uint8, the network's input: colours, not inverted,
            multiplied by coverage, and coverage.
        iou: intersection over union of the picture's silhouette and the mesh's, from
            the best azimuth, 0 to 1.
        azimuth: that azimuth, degrees; see `viewpoints.AZIMUTHS`. Refinement also finds
            others between these.
        view: the camera there.
        unrefined_iou: the IoU before refinement.
    """

    mesh: mesh.Mesh
    image: np.ndarray
    iou: float
    azimuth: float
    view: camera.Camera
    unrefined_iou: float

    @property
    def elevation(self) -> float:
        """Elevation of the camera above the horizon, degrees."""
        x, height, z = np.asarray(self.view.position, float)
        return math.degrees(math.atan2(height, math.hypot(x, z)))


class Predictor:
    """A trained network with cameras, compiled once for all pictures.

    Attributes:
        model: the network.
        orbit: cameras that the mesh is compared with the picture from.
        extent: see `pictures.find_square`.
    """

    def __init__(
        self,
        model: models.Trained,
        *,
        elevation: float | None = None,
        distance: float | None = None,
    ):
        """Makes a predictor.

        Args:
            model: of `jaxsoftras.model_files.load`, or of a run.
            elevation: of the pictures' camera above the horizon, degrees; of the
                training data if None, or what refinement finds.
            distance: of the camera from the object, in longest sides of it; of the
                training data if None. A near camera sees more perspective. The object
                has the same size in the image.

        Raises:
            TypeError: a model that is none, or a number that is none.
            ValueError: a number out of range.
        """
        arguments.check_model(model)
        cameras = model.config.data
        knows_elevation = elevation is not None
        elevation = cameras.elevation if elevation is None else elevation
        elevation = arguments.check_number("elevation", elevation, -90, 90, " degrees")
        usual = cameras.distance * np.tan(np.deg2rad(cameras.half_fov))
        if distance is None:
            distance = cameras.distance
        else:
            distance = arguments.check_number("distance", distance, 1, 1e3, "")
        self.model = model
        self.orbit = Orbit(
            distance, elevation, float(np.rad2deg(np.arctan(usual / distance)))
        )
        self.extent = pictures.expected_extent(cameras)
        faces = np.asarray(model.network.faces)
        self._faces = np.ascontiguousarray(faces[:, ::-1])  # for the mirrored vertices
        self._reconstruct = jax.jit(self._reconstruct_and_search)
        self._refine = jax.jit(
            functools.partial(self._encode_and_refine, hold_elevation=knows_elevation)
        )

    def __call__(self, picture: Picture, *, refine: int = 0) -> Prediction:
        """Predicts the mesh of the object in a picture.

        Args:
            picture: see `pictures.read_picture`.
            refine: steps that fit mesh and camera to the silhouette afterwards; see
                `refinement.refine`. A result of a lower IoU is dropped.

        Raises:
            TypeError: a picture or a number of steps that is none.
            ValueError: a picture of another shape, type or range, or without an object;
                or a number of steps that is negative or above 100,000.
            ProgramError: the network returns numbers that are not finite.
        """
        refine = arguments.check_steps(refine)
        arguments.check_picture(picture)
        size = self.model.config.model.image_size
        image = pictures.crop(picture, size, self.extent)
        vertices, colors, scores = self._reconstruct(
            self.model.variables, self._to_input(image), self.orbit
        )
        if not np.all(np.isfinite(vertices)):
            raise terminal.ProgramError(
                "The network returns vertices that are not finite: use another model."
            )
        best = int(np.argmax(scores))
        azimuth, iou = float(AZIMUTHS[best]), float(scores[best])
        found = Prediction(
            mesh.Mesh(np.asarray(vertices), self._faces, self._make_texture(colors)),
            image,
            iou,
            azimuth,
            viewpoints.make_cameras(self.orbit, azimuth),
            iou,
        )
        return self._improve(found, refine) if refine else found

    def _to_input(self, image: np.ndarray) -> jax.Array:
        """Converts an image ``[4, S, S]`` uint8 to a batch of one for the network."""
        if self.model.inverted:
            image = np.concatenate(
                [image[3:] - np.minimum(image[:3], image[3:]), image[3:]]
            )
        return models.to_network_input(jnp.asarray(image[None]))

    def _reconstruct_and_search(
        self, variables: models.Variables, images: jax.Array, orbit: Orbit
    ) -> tuple[jax.Array, jax.Array | None, jax.Array]:
        """Vertices ``[V, 3]``, colours if any, and IoU at all azimuths."""
        found = self.model.network.reconstruct(variables, images)
        vertices = found.vertices[0] * _MIRROR
        scores = viewpoints.score_azimuths(
            vertices,
            self._faces,
            orbit,
            images[0, ..., 3] >= 0.5,
            self.model.config.render.implementation,
        )
        return vertices, None if found.colors is None else found.colors[0], scores

    def _make_texture(
        self, colors: jax.Array | None
    ) -> texture.VertexColors | texture.SurfaceTexture | None:
        """Makes a texture of the network's colours, for the mirrored faces."""
        if colors is None:
            return None
        values = np.asarray(colors)
        if self.model.inverted:
            values = 1 - values
        if values.ndim == 3:
            values = values[:, _reverse_texels(values.shape[1])]
        return color.make_texture(values)

    def _encode_and_refine(
        self,
        variables: models.Variables,
        images: jax.Array,
        orbit: Orbit,
        steps: int,
        *,
        hold_elevation: bool,
    ) -> refinement.Refined:
        """Fits the mesh and the camera of a batch of one to its silhouette."""
        network = self.model.network

        def decode(code: jax.Array) -> jax.Array:
            return network.decode(variables, code[None])[0] * _MIRROR

        return refinement.refine(
            decode,
            network.encode(variables, images)[0].astype(images.dtype),
            self._faces,
            orbit,
            images[0, ..., 3],
            steps,
            self.model.config,
            hold_elevation=hold_elevation,
        )

    def _improve(self, found: Prediction, steps: int) -> Prediction:
        """Refines a prediction; returns it as it is if its IoU would fall."""
        vertices, pose = self._refine(
            self.model.variables, self._to_input(found.image), self.orbit, steps
        )
        if not all(np.all(np.isfinite(part)) for part in (vertices, *pose)):
            return found
        view = viewpoints.place_cameras(self.orbit, pose)
        drawn = viewpoints.silhouettes(
            vertices,
            self._faces,
            view,
            found.image.shape[-1],
            self.model.config.render.implementation,
        )
        iou = float(viewpoints.mask_iou(drawn, found.image[3] >= _HALF))
        if iou < found.iou:
            return found
        return found._replace(
            mesh=found.mesh._replace(vertices=np.asarray(vertices)),
            iou=iou,
            azimuth=float(pose.azimuth) % 360,
            view=view,
        )


def _reverse_texels(count: int) -> np.ndarray:
    """Places of the ``count`` texels of a face whose corners are listed backwards."""
    centers = texture.texel_centers(math.isqrt(count))
    apart = np.abs(centers[:, None, ::-1] - centers[None]).max(-1)
    return np.argmin(apart, axis=1)


def predict(
    model: models.Trained,
    picture: str | Path | Picture,
    *,
    mask: str | Path | None = None,
    elevation: float | None = None,
    distance: float | None = None,
    refine: int = 0,
) -> Prediction:
    """Predicts the mesh of the object in one picture; `Predictor` is for several.

    Args:
        model: of `jaxsoftras.model_files.load`, or of a run.
        picture: a file, or what `pictures.read_picture` returned.
        mask: see `pictures.read_picture`; of no effect if ``picture`` is no file.
        elevation: see `Predictor`.
        distance: see `Predictor`.
        refine: see `Predictor.__call__`.

    Raises:
        TypeError: an argument of another type.
        ValueError: an unusable picture, or a number out of range.
        OSError: a file that cannot be read.
        ProgramError: see `Predictor.__call__`.

    Example:
        >>> import pathlib, tempfile
        >>> import jax, numpy as np
        >>> from PIL import Image
        >>> from jaxsoftras import config, models, prediction
        >>> folder = tempfile.TemporaryDirectory()
        >>> path = pathlib.Path(folder.name, "ball.png")
        >>> x, y = np.meshgrid(*[np.linspace(-1, 1, 40)] * 2)
        >>> Image.fromarray(np.uint8(255 * (x**2 + y**2 > 0.3))).save(path)
        >>> sizes = config.Model(
        ...     image_size=16, channels=(4,), hidden=(), latent=4, decoder_hidden=(4,),
        ...     template_level=1,
        ... )
        >>> network = models.Network(sizes)
        >>> model = models.Trained(
        ...     config.Config(model=sizes), network, network.init(jax.random.key(0)), 10
        ... )
        >>> ball = prediction.predict(model, path)
        >>> print(ball.mesh.vertices.shape, ball.image.shape, 0 < ball.iou < 1)
        (42, 3) (4, 16, 16) True
        >>> folder.cleanup()
    """
    predictor = Predictor(model, elevation=elevation, distance=distance)
    if not isinstance(picture, Picture):
        arguments.check_file(picture)
        try:
            picture = pictures.read_picture(picture, mask)
        except ValueError as error:
            raise ValueError(f"{picture}: {error}.") from error
    return predictor(picture, refine=refine)
