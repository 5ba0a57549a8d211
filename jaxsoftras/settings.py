"""Settings of the renderer: the options of the rasterizer, and more."""

from __future__ import annotations

import dataclasses
from typing import Literal

import jax
from jax.typing import ArrayLike

from jaxsoftras import checks, guesses, summaries
from jaxsoftras import conorm as conorms
from jaxsoftras.kernels.options import RasterOptions

Shading = Literal["smooth", "flat"]
"""Light at the vertices, by their normals; or one light for each face, by its own."""


@guesses.answers
@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings(RasterOptions):
    """Settings of `render`: the options of the rasterizer and more; a pytree.

    The numbers may be traced; ``image_size``, ``shading``, ``clip`` and all options are
    static.

    Attributes:
        sigma: sharpness of the silhouette; see `rasterize`.
        gamma: sharpness of the choice among depths; see `rasterize`.
        background: a scalar, ``[C]`` or ``[..., C]``; or an image ``[H, W, C]`` or
            ``[..., H, W, C]`` of ``image_size``.
        image_size: pixels, of a square image or (height, width).
        shading: see `Shading`.
        clip: whether faces that reach behind the camera are cut at its plane and drawn
            in part, exactly. Under `jax.jit` and `jax.grad` this doubles the number of
            faces, most of them empty. Without, such faces are not drawn. The T-conorm
            ``"sum"``, a mean over faces, does without.
        front_face: order of the corners of a front face on the screen; None: as the
            camera shows faces that are counter-clockwise seen from outside. The camera
            must then be known when tracing, unless ``double_sided``.
        near: least depth at which a face has a colour, world units; None stands for 0.
        far: greatest such depth, by which gamma is measured. None, without ``near``
            either, follows the scene: 100, but at least the depth of the farthest
            vertex and at most 100 times that depth.

    See `RasterOptions` for the others. An orthographic camera always has the
    ``interpolation`` of that name. With ``double_sided`` faces, light falls on the
    side that is seen: in faces seen from behind, normals that face away are turned.
    """

    sigma: ArrayLike = 1e-4
    gamma: ArrayLike = 1e-4
    background: ArrayLike = 0.0
    image_size: int | tuple[int, int] = dataclasses.field(
        default=256, metadata={"static": True}
    )
    shading: Shading = dataclasses.field(default="smooth", metadata={"static": True})
    clip: bool = dataclasses.field(default=True, metadata={"static": True})

    def __post_init__(self) -> None:
        """Checks the static fields."""
        super().__post_init__()
        checks.check_choice("shading", self.shading, Shading)

    def __repr__(self) -> str:
        defaults = vars(DEFAULT_SETTINGS).items()
        changed = (
            f"{name}={summaries.number(getattr(self, name))}"
            for name, default in defaults
            if not summaries.same(getattr(self, name), default)
        )
        return f"Settings({', '.join(changed)})"

    def raster_options(self) -> RasterOptions:
        """The options of the rasterizer among the settings."""
        names = (field.name for field in dataclasses.fields(RasterOptions))
        return RasterOptions(**{name: getattr(self, name) for name in names})

    @property
    def averages_faces(self) -> bool:
        """Whether alpha is a mean over faces, which depends on their number."""
        assert isinstance(self.conorm, conorms.Conorm)
        return self.conorm.name == "sum"

    @property
    def far_follows_scene(self) -> bool:
        """Whether `far` is chosen by the scene."""
        return self.near is None and self.far is None and not self.match_softras


DEFAULT_SETTINGS = Settings()
