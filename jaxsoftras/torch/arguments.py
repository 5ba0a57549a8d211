"""Arguments that are tensors: checks of their values, and faces as constants."""

# where PyTorch is not installed, this folder is taken for it
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false

from __future__ import annotations

import weakref
from typing import Any

import jax
import numpy as np
import torch

from jaxsoftras import known, mesh
from jaxsoftras.rasterization import inputs


def get_values(tree: Any) -> Any:
    """A pytree with numpy arrays in place of tensors; None if one is on a GPU.

    Reading tensors on a GPU would wait for it.
    """

    def get_value(leaf):
        if not isinstance(leaf, torch.Tensor):
            return leaf
        leaf = leaf.detach().resolve_neg()
        # which numpy lacks
        return (leaf.float() if leaf.dtype == torch.bfloat16 else leaf).numpy()

    leaves = jax.tree.leaves(tree)
    if any(isinstance(x, torch.Tensor) and x.device.type != "cpu" for x in leaves):
        return None
    return jax.tree.map(get_value, tree)


def check_positive(**numbers: Any) -> None:
    """Raises a ValueError for a known number that is not positive and finite."""
    values = {name: get_values(number) for name, number in numbers.items()}
    inputs.check_positive(**{n: v for n, v in values.items() if v is not None})


# By the identity of tensors on a GPU, whose faces are read once: the version of the
# tensor, the number of vertices that they were checked for, and the faces.
_TOPOLOGIES: dict[int, tuple[int, int, Any]] = {}


def check_faces(faces: Any, count: int) -> Any:
    """Checks faces, and makes those of one mesh a constant of compiled programs.

    Args:
        faces: ``[F, 3]`` or ``[..., F, 3]``, a tensor or an array.
        count: number of vertices.
    """
    if not isinstance(faces, torch.Tensor):
        checked = np.asarray(mesh.checked_faces(faces, count))
        return known.KnownArray.of(checked) if checked.ndim == 2 else checked
    if faces.device.type == "cpu" or faces.is_inference():
        return _read_faces(faces, count)
    key, state = id(faces), (faces._version, count)
    if key not in _TOPOLOGIES:
        weakref.finalize(faces, _TOPOLOGIES.pop, key, None).atexit = False
    elif _TOPOLOGIES[key][:2] == state:
        return _TOPOLOGIES[key][2]
    found = _read_faces(faces, count)
    _TOPOLOGIES[key] = *state, found
    return found


def _read_faces(faces: torch.Tensor, count: int) -> Any:
    if faces.is_floating_point():  # numpy lacks some of them
        raise ValueError(f"faces must be integers, vertex indices, not {faces.dtype}.")
    checked = np.asarray(mesh.checked_faces(faces.detach().cpu().numpy(), count))
    return known.KnownArray.of(checked) if checked.ndim == 2 else faces.detach()


def count_vertices(vertices: Any) -> int:
    """The number of vertices ``[..., V, C]``; raises a ValueError for another shape."""
    shape = np.shape(vertices)
    if len(shape) < 2:
        raise ValueError(
            f"vertices must have the shape [..., V, C], not {list(shape)}."
        )
    return shape[-2]
