"""The backends of the rasterizer, where they run, and the choice among them."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp

from jaxsoftras import checks
from jaxsoftras.kernels import devices
from jaxsoftras.kernels.options import Implementation, RasterOptions
from jaxsoftras.kernels.scene import Scene, Task

Operation = Literal["blend", "visible"]
"""``"blend"``: ``(scene, task)`` to a `scene.Blend`. ``"visible"``: ``(scene, task)``
to the nearest face at each pixel, ``[B, H, W]`` int32."""


class Backend(NamedTuple):
    """Where a backend runs; its folder has a module for each `Operation`.

    Attributes:
        capability: least compute capability of the NVIDIA GPUs that it needs; None
            for a backend that runs on any device.
        jax: least version of JAX.
    """

    capability: tuple[int, int] | None = None
    jax: tuple[int, ...] = ()


BACKENDS: dict[str, Backend] = {
    "reference": Backend(),
    "xla": Backend(),
    # among kernels, the backend that runs on most GPUs first
    "triton": Backend(capability=(8, 0)),
    "mosaic": Backend(capability=(9, 0), jax=(0, 11)),
}
"""By name, which is the folder's name too. A backend whose folder, or whose support in
JAX, is missing counts as one that does not run."""

Draw = Callable[[Scene, Task], Any]


def load(name: str, operation: Operation) -> Draw:
    """Imports the function of a backend for an operation.

    Raises:
        ImportError: this installation, or this version of JAX, lacks the backend.
    """
    if jax.__version_info__ < BACKENDS[name].jax:
        raise ImportError(f"jax {jax.__version__} is too old")
    module = importlib.import_module(f"jaxsoftras.kernels.{name}.{operation}")
    return getattr(module, operation)


def _capability() -> tuple[int, ...] | None:
    """Compute capability of the default device, if it is an NVIDIA GPU."""
    device = devices.default_device()
    if device.platform not in ("gpu", "cuda"):
        return None
    try:
        return tuple(int(part) for part in str(device.compute_capability).split("."))
    except ValueError:  # an AMD GPU, such as gfx942
        return None


def explain_unavailable(name: str, operation: Operation = "blend") -> str | None:
    """The reason why a backend does not run on the default device, if there is one.

    Kernels are imported only where the device could run them.
    """
    least = BACKENDS[name].capability if name in BACKENDS else None
    capability = _capability() if least else None
    if least and capability is None:
        return "they need an NVIDIA GPU"
    if least and capability and capability < least:
        have, needed = (".".join(map(str, version)) for version in (capability, least))
        return f"this GPU has compute capability {have}, and they need {needed}"
    try:
        load(name, operation)
    except (ImportError, KeyError):
        return f"there are none for {name.capitalize()} with jax {jax.__version__}"
    return None


def explain_unsupported(task: Task) -> str | None:
    """The reason why the Pallas kernels cannot render a task, if there is one."""
    options, usual = task.options, RasterOptions()
    if task.lookup.transparent:
        return "they draw opaque faces only"
    if task.lookup.sizes:
        return "they know textures of one image only"
    if (options.distribution, options.conorm) == (usual.distribution, usual.conorm):
        return None
    return "they know the logistic distribution and the probabilistic T-conorm only"


def rank_kernels() -> list[str]:
    """The backends of GPU kernels, the best for the default device first."""
    names = [name for name, backend in BACKENDS.items() if backend.capability]
    # Mosaic was measured on Hopper alone; Triton runs on more.
    hopper = (_capability() or (0,))[0] == 9
    return names[::-1] if hopper else names


def runs_here(name: str) -> bool:
    """Whether a backend runs on the default device."""
    return explain_unavailable(name) is None


def choose_backend(
    operation: Operation,
    implementation: Implementation | None,
    task: Task,
    dtype: jnp.dtype,
) -> str:
    """The name of the backend for an operation.

    Args:
        operation: see `Operation`.
        implementation: a name; ``"pallas"`` stands for the better backend of kernels
            here, None for the fastest backend that runs here.
        task: the image to render.
        dtype: type of the faces; the kernels compute in single precision only.

    Raises:
        ValueError: an unknown name, or kernels where they do not run.
    """
    if implementation is not None:
        checks.check_choice("implementation", implementation, Implementation)
    if implementation in ("reference", "xla"):
        return implementation
    if implementation is None and dtype != jnp.float32:
        return "xla"
    names = rank_kernels()
    if implementation in ("triton", "mosaic"):
        names = [implementation]
    reasons = [explain_unsupported(task)] if operation == "blend" else []
    if not any(reasons):
        reasons = []
        for name in names:
            reason = explain_unavailable(name, operation)
            if reason is None:
                return name
            reasons.append(reason)
    if implementation is None:
        return "xla"
    raise ValueError(
        "The Pallas kernels cannot be used: "
        f"{reasons[0] if reasons else 'this version has none'}. Use "
        "implementation='xla' or None."
    )


def choose(
    operation: Operation,
    implementation: Implementation | None,
    task: Task,
    dtype: jnp.dtype,
) -> Draw:
    """The function that carries out an operation; see `choose_backend`."""
    return load(choose_backend(operation, implementation, task, dtype), operation)
