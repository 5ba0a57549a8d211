"""Renders of coloured reconstructions, and the light on them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh as DeviceMesh
from jax.sharding import NamedSharding

from jaxsoftras import (
    camera,
    config,
    mesh,
    models,
    normals,
    rasterization,
    texture,
)
from jaxsoftras.data import rig, zbuffer
from jaxsoftras.data import source as data_source
from jaxsoftras.models import division
from jaxsoftras.reconstruction import processes

BACKGROUND = 1.0
"""Colour of the background of all renders: white."""

_SAMPLES = 2  # along each side of a pixel, of images that are looked at or scored


def to_bytes(image: np.ndarray) -> np.ndarray:
    """Converts colours from 0 to 1 to uint8."""
    return np.round(255 * np.clip(image, 0, 1)).astype(np.uint8)


def compute_light(corners: jax.Array) -> jax.Array:
    """Light on faces in the data sets of this project, ``0.5 + 0.5 |n . l|``.

    Args:
        corners: ``[..., F, 3, 3]`` corners of the faces, model frame.

    Returns:
        ``[..., F]``, 0.5 to 1; see docs/data.md.
    """
    towards = jnp.asarray(zbuffer.LIGHT, corners.dtype)
    return 0.5 + 0.5 * jnp.abs(normals.face_normals(corners) @ towards)


class ColorRenderer:
    """Renders coloured meshes by the cameras of a data set, each on its own device.

    Colours are ``[B, V, 3]`` at the vertices or ``[B, F, R * R, 3]`` texels; images are
    over white.

    Attributes:
        draw: ``(vertices, colors, cameras, *, lit=None, size=None) -> [B, S, S, 3]``
            anti-aliased images to be looked at or scored, in which a sample shows the
            nearest face; with the light of the configuration unless ``lit`` says
            otherwise, and of the size of the network's images unless ``size`` does.
    """

    def __init__(
        self,
        settings: config.Config,
        faces: np.ndarray,
        devices: DeviceMesh,
        jit: Callable[..., Any] = jax.jit,
    ):
        """Makes the renderer of a configuration.

        Args:
            settings: size of the images, options of the rasterizer, and light.
            faces: ``[F, 3]`` vertex indices, the topology of all meshes.
            devices: device mesh that batches are divided among.
            jit: compiles functions, as `jax.jit` does.
        """
        self._faces, self._devices = faces, devices
        self._render, self._size = settings.render, settings.model.image_size
        self._lit = settings.render.shading == "lambert"
        self._sharding = NamedSharding(devices, division.BATCH)
        self.draw = jit(
            self._draw, static_argnames=("lit", "size"), out_shardings=self._sharding
        )

    def render(
        self,
        vertices: jax.Array,
        colors: jax.Array,
        cameras: rig.Viewpoints,
        sigma: jax.Array,
    ) -> jax.Array:
        """Renders soft images, differentiable in vertices and colours.

        Args:
            vertices: ``[B, V, 3]`` model frame.
            colors: see the class.
            cameras: B cameras.
            sigma: sharpness, NDC squared.

        Returns:
            ``[B, S, S, 3]``.
        """
        return self._rasterize(
            vertices,
            self._color_faces(vertices, colors, self._lit),
            cameras,
            sigma,
            image_size=self._size,
            gamma=self._render.gamma,
            dist_eps=self._render.dist_eps,
            implementation=self._render.implementation,
        )

    def _draw(
        self,
        vertices: jax.Array,
        colors: jax.Array,
        cameras: rig.Viewpoints,
        *,
        lit: bool | None = None,
        size: int | None = None,
    ) -> jax.Array:
        lit = self._lit if lit is None else lit
        return self._rasterize(
            vertices,
            self._color_faces(vertices, colors, lit),
            cameras,
            jnp.float32(1e-4),  # of alpha, which is not looked at
            image_size=size or self._size,
            aggregation="hard",
            supersampling=_SAMPLES,
        )

    def draw_views(
        self, meshes: models.Reconstruction, cameras: rig.Viewpoints, size: int
    ) -> np.ndarray:
        """Draws several views of each mesh.

        Args:
            meshes: at least n meshes in colour, on the devices.
            cameras: with leading axes ``[n, m]``; arrays of numpy.
            size: width and height of the images, pixels.

        Returns:
            ``[n, m, size, size, 3]`` uint8.
        """
        count, views = jax.tree.leaves(cameras)[0].shape[:2]
        missing = -count * views % self._devices.size
        found = jax.tree.map(
            lambda part: np.repeat(part[:count], views, axis=0), processes.fetch(meshes)
        )
        flat = jax.tree.map(lambda part: part.reshape(-1, *part.shape[2:]), cameras)

        def fill(part: np.ndarray) -> np.ndarray:
            return np.concatenate([part, np.repeat(part[-1:], missing, axis=0)])

        placed = processes.place(jax.tree.map(fill, (found, flat)), self._sharding)
        drawn = processes.fetch(self.draw(*placed[0], placed[1], size=size))
        return to_bytes(drawn[: count * views]).reshape(count, views, size, size, 3)

    def _color_faces(
        self, vertices: jax.Array, colors: jax.Array, lit: bool
    ) -> jax.Array | texture.SurfaceTexture:
        """Colours at the corners of faces, or texels, with the light on them."""
        on_faces = colors.ndim == 4
        if not on_faces:
            colors = mesh.face_vertices(colors, self._faces)  # [B, F, 3, 3]
        if lit:
            corners = mesh.face_vertices(vertices, self._faces)
            colors = colors * compute_light(corners)[..., None, None]
        return texture.SurfaceTexture(colors) if on_faces else colors

    def _rasterize(
        self,
        vertices: jax.Array,
        attributes: jax.Array | texture.SurfaceTexture,
        cameras: rig.Viewpoints,
        sigma: jax.Array,
        **options: Any,
    ) -> jax.Array:
        points = camera.project(rig.as_cameras(cameras), vertices)

        def rasterize(corners, attributes, sigma):
            return rasterization.rasterize(
                corners, attributes, sigma=sigma, background=BACKGROUND, **options
            )[..., :3]

        # each device its own images; see `training.Experiment`
        corners = mesh.face_vertices(points, self._faces)
        return division.by_device(
            rasterize, self._devices, [corners, attributes], sigma
        )


_LIT_ALIKE = {
    "jaxsoftras data build",
    "jaxsoftras data shapenet core",
    "jaxsoftras vary",
}
"""Programs that light the meshes of a data set as `compute_light` does."""


def check_light(settings: config.Config) -> None:
    """Warns if nothing says that the images are lit as ``render.shading`` has it.

    Args:
        settings: configuration of a run.
    """
    if settings.render.shading == "none":
        return
    sources = settings.data.sources or (settings.data,)
    unknown = [source.root for source in sources if not _is_lit_alike(source)]
    if unknown:
        warnings.warn(
            f"Nothing says how the images in {', '.join(unknown)} are lit: "
            f"render.shading={settings.render.shading} takes them for lit as by "
            "'jaxsoftras data build'; render.shading=none leaves the light in the "
            "colours.",
            stacklevel=2,
        )


def _is_lit_alike(source: config.Data | config.Source) -> bool:
    if source.source == "embedded":
        return True
    about = data_source.describe(source.root).about
    made_by = about.content.get("made_by") if about else None
    return isinstance(made_by, Mapping) and made_by.get("program") in _LIT_ALIKE
