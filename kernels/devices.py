"""The default device, for which programs are chosen when they are traced."""

from __future__ import annotations

from typing import Any

import jax


def default_device() -> Any:
    """The device that JAX uses where nothing says otherwise."""
    device = getattr(jax.config, "jax_default_device", None)
    if device is None or isinstance(device, str):  # or the name of a platform
        device = jax.devices(device)[0]
    return device
