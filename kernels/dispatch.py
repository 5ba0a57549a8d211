"""The rasterizer's implementations, by name, and the choice among them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import jax
import jax.numpy as jnp

from jaxsoftras import checks
from jaxsoftras.kernels import scene as blending
from jaxsoftras.kernels.pallas import blend as blend_pallas
from jaxsoftras.kernels.reference import blend as blend_reference
from jaxsoftras.kernels.reference import silhouette as silhouette_reference
from jaxsoftras.kernels.xla import blend as blend_xla
from jaxsoftras.kernels.xla import silhouette as silhouette_xla
from jaxsoftras.kernels.xla import visible as visible_xla

# Both backends of Pallas for GPUs may come and go with the version of JAX.
try:
    from jaxsoftras.kernels.triton import blend as blend_triton
    from jaxsoftras.kernels.triton import silhouette as silhouette_triton
    from jaxsoftras.kernels.triton import visible as visible_triton
except ImportError:
    blend_triton = silhouette_triton = visible_triton = None
try:
    from jaxsoftras.kernels.mosaic import blend as blend_mosaic
    from jaxsoftras.kernels.mosaic import silhouette as silhouette_mosaic
    from jaxsoftras.kernels.mosaic import visible as visible_mosaic
except ImportError:
    blend_mosaic = silhouette_mosaic = visible_mosaic = None
if jax.__version_info__ < (0, 11):
    blend_mosaic = silhouette_mosaic = visible_mosaic = None

Implementation = Literal["reference", "xla", "pallas", "mosaic"]
"""``"reference"``: dense, small scenes only. ``"xla"``: exact work list, any device.
``"pallas"``: kernels for NVIDIA GPUs, by the usual distribution and T-conorm.
``"mosaic"``: the same without Triton, which jax deprecates; for later GPUs, faster."""

Table = Mapping[str, Callable[..., Any]]
"""Functions that draw the same, by the names of their implementations."""

SILHOUETTE: dict[str, Callable[..., Any]] = {
    "reference": silhouette_reference.silhouette_reference,
    "xla": silhouette_xla.silhouette_xla,
}
BLEND: dict[str, Callable[..., Any]] = {
    "reference": blend_reference.blend_reference,
    "xla": blend_xla.blend_xla,
}
VISIBLE: dict[str, Callable[..., Any]] = {
    "reference": blend_reference.visible_reference,
    "xla": visible_xla.visible_xla,
}
if silhouette_mosaic and blend_mosaic and visible_mosaic:
    SILHOUETTE["mosaic"] = SILHOUETTE["pallas"] = silhouette_mosaic.silhouette_mosaic
    BLEND["mosaic"] = BLEND["pallas"] = blend_mosaic.blend_mosaic
    VISIBLE["mosaic"] = VISIBLE["pallas"] = visible_mosaic.visible_mosaic
if silhouette_triton and blend_triton and visible_triton:
    SILHOUETTE["pallas"] = silhouette_triton.silhouette_triton
    BLEND["pallas"] = blend_triton.blend_triton
    VISIBLE["pallas"] = visible_triton.visible_triton


def _capability() -> tuple[int, ...] | None:
    """Of the default device, if it is an NVIDIA GPU."""
    device = getattr(jax.config, "jax_default_device", None)
    if device is None or isinstance(device, str):  # or the name of a platform
        device = jax.devices(device)[0]
    if device.platform not in ("gpu", "cuda"):
        return None
    try:
        return tuple(int(part) for part in str(device.compute_capability).split("."))
    except ValueError:  # gfx942: a GPU of AMD's
        return None


def _why_not(table: Table, name: Implementation) -> str | None:
    """What keeps kernels for GPUs from running here."""
    if name not in table:
        which = "Mosaic" if name == "mosaic" else "Triton"
        return f"there are none for this with Pallas' {which} in jax {jax.__version__}"
    capability = _capability()
    if capability is None:
        return "they need an NVIDIA GPU"
    least = (9, 0) if table[name] is table.get("mosaic") else (8, 0)
    if capability < least:
        have, needed = (".".join(map(str, version)) for version in (capability, least))
        return f"this GPU has compute capability {have}, and they need {needed}"
    return None


def _fastest(table: Table) -> Implementation:
    """The name of the fastest implementation that runs here."""
    # Those for Mosaic were measured on Hopper alone; Triton's run on more.
    names: list[Implementation] = ["pallas", "mosaic"]
    if (_capability() or (0,))[0] == 9:
        names.reverse()
    for name in names:
        if not _why_not(table, name):
            return name
    return "xla"


def why_not_blend(task: blending.Task) -> str | None:
    """What keeps the Pallas kernels from drawing soft pictures by some rules."""
    if blend_pallas.supports(task):
        return None
    return "they know the logistic distribution and the probabilistic T-conorm only"


def runs_here(table: Table, implementation: Implementation) -> bool:
    """Whether an implementation runs on the default device."""
    if implementation in ("pallas", "mosaic"):
        return _why_not(table, implementation) is None
    return implementation in table


def choose(
    table: Table,
    implementation: Implementation | None,
    faces: jax.Array,
    why_not: str | None = None,
) -> Callable[..., Any]:
    """The function of a named implementation, or the fastest that runs here.

    Args:
        table: where to choose.
        implementation: a name, or None.
        faces: to draw; in double precision the Pallas kernels have no advantage.
        why_not: what keeps the Pallas kernels from drawing what is asked for, if
            anything.

    Returns:
        A function of the table.

    Raises:
        ValueError: an unknown name, or kernels for GPUs where they do not run.
    """
    if implementation is None:
        single = faces.dtype == jnp.float32
        return table[_fastest(table) if single and not why_not else "xla"]
    checks.check_choice("implementation", implementation, Implementation)
    if implementation in ("pallas", "mosaic"):
        reason = why_not or _why_not(table, implementation)
        if reason:
            raise ValueError(
                f"The Pallas kernels cannot be used: {reason}. Use "
                "implementation='xla' or None."
            )
    return table[implementation]
