"""The rasterizer's implementations, by name, and the choice among them."""

from __future__ import annotations

from typing import Any, Literal

import jax
import jax.numpy as jnp

from jaxsoftras import arguments
from jaxsoftras.kernels import (
    blend_reference,
    blend_xla,
    silhouette_reference,
    silhouette_xla,
)

try:
    from jaxsoftras.kernels import silhouette_triton
except ImportError:  # a JAX whose Pallas has no Triton
    silhouette_triton = None

Implementation = Literal["reference", "xla", "pallas"]
"""``"reference"``: dense, small scenes only. ``"xla"``: exact work list, any device.
``"pallas"``: kernels for NVIDIA GPUs, for silhouettes by the default rules."""

SILHOUETTE: dict[str, Any] = {
    "reference": silhouette_reference.silhouette_reference,
    "xla": silhouette_xla.silhouette_xla,
}
if silhouette_triton is not None:
    SILHOUETTE["pallas"] = silhouette_triton.silhouette_triton
BLEND = {
    "reference": blend_reference.blend_reference,
    "xla": blend_xla.blend_xla,
}
VISIBLE = {
    "reference": blend_reference.visible_reference,
    "xla": blend_xla.visible_xla,
}

_LEAST_CAPABILITY = (8, 0)  # of the GPUs that Triton compiles for


def _why_not_pallas() -> str | None:
    """What keeps the Pallas kernels from running here."""
    if silhouette_triton is None:
        return f"jax {jax.__version__} has no Pallas with Triton"
    device = getattr(jax.config, "jax_default_device", None) or jax.devices()[0]
    capability = getattr(device, "compute_capability", None)
    if getattr(device, "platform", device) not in ("gpu", "cuda") or not capability:
        return "they need an NVIDIA GPU"
    if tuple(int(part) for part in str(capability).split(".")) < _LEAST_CAPABILITY:
        return f"this GPU has compute capability {capability}, and they need 8.0"
    return None


def runs_here(implementation: Implementation) -> bool:
    """Whether an implementation runs on the default device."""
    return implementation != "pallas" or _why_not_pallas() is None


def choose(
    implementation: Implementation | None, *, silhouette_of: jax.Array | None = None
) -> Implementation:
    """The named implementation, or the fastest that runs here.

    Args:
        implementation: a name, or None.
        silhouette_of: the faces, if a silhouette by the default rules is wanted; only
            those have a Pallas kernel.

    Returns:
        A name.

    Raises:
        ValueError: an unknown name, or ``"pallas"`` where it does not run.
    """
    if implementation is None:
        single = silhouette_of is not None and silhouette_of.dtype == jnp.float32
        return "pallas" if single and _why_not_pallas() is None else "xla"
    arguments.check_choice("implementation", implementation, Implementation)
    if implementation == "pallas":
        reason = _why_not_pallas()
        if silhouette_of is None:
            reason = "they draw silhouettes by the default rules only"
        if reason:
            raise ValueError(
                f"The Pallas kernels cannot be used: {reason}. Use implementation='xla'"
                " or None."
            )
    return implementation
