"""Trained networks, and their arrays by flat names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import jax
from jax.typing import ArrayLike

from jaxsoftras import config
from jaxsoftras.models.reconstructor import Network, Variables


class Trained(NamedTuple):
    """A trained network, wherever it was loaded from.

    Attributes:
        config: configuration of its training.
        network: encoder and decoder, as pure functions of their variables.
        variables: parameters and batch statistics, on the default device: their moving
            average if ``config.optim.ema`` is not 0.
        step: number of training steps taken.
        inverted: whether the network was trained on inverted colours, ``alpha - c`` for
            premultiplied c, as in the files of Soft Rasterizer.
    """

    config: config.Config
    network: Network
    variables: Variables
    step: int
    inverted: bool = False


def flatten(variables: Variables) -> dict[str, jax.Array]:
    """Lists the arrays of a network by name, ``params.decoder.bias.kernel`` for one.

    Args:
        variables: parameters and batch statistics, or their shapes.
    """
    leaves, _ = jax.tree_util.tree_flatten_with_path(variables)
    return {_name(path): leaf for path, leaf in leaves}


def unflatten(like: Variables, arrays: Mapping[str, ArrayLike]) -> Variables:
    """Puts named arrays into the structure of a network.

    Args:
        like: variables of the structure, or their shapes.
        arrays: an array for each name of `flatten`.
    """
    leaves, structure = jax.tree_util.tree_flatten_with_path(like)
    return jax.tree.unflatten(structure, [arrays[_name(path)] for path, _ in leaves])


def _name(path: tuple) -> str:
    """Joins the keys of a path; a variable of Flax holds its array as ``value``."""
    name = jax.tree_util.keystr(path, simple=True, separator=".")
    return name.removesuffix(".value")
