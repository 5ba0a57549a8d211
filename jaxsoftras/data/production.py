"""Objects of data sets that a seed makes, in several processes and by either renderer.

Processes make meshes and voxels, and with the renderer of numpy the images too. With
that of JAX this process makes the images, on its default device.
"""

from __future__ import annotations

import contextlib
import operator
from collections.abc import Callable, Iterable, Iterator

import numpy as np

from jaxsoftras import checks, cores, workers
from jaxsoftras.data import accelerated
from jaxsoftras.data.zbuffer import Renderer

_LARGEST_IMAGE = 8192  # pixels
_OBJECTS_PER_PROCESS = 32  # fewer do not repay the start of a process


def check_options(seed: int, image_size: int, renderer: str) -> tuple[int, int]:
    """Checks options of a data set before it is made.

    Args:
        seed: seed of the objects; any type of integer.
        image_size: width and height of the images, pixels; any type of integer.
        renderer: name of the renderer.

    Returns:
        The seed and the image size as int, which JSON can hold.

    Raises:
        TypeError: the seed or the image size is no integer.
        ValueError: no data set can be made with the options.
    """
    seed, image_size = operator.index(seed), operator.index(image_size)
    if seed < 0:
        raise ValueError(f"The seed must not be negative, as {seed} is.")
    if not 1 <= image_size <= _LARGEST_IMAGE:
        raise ValueError(
            f"The image size must be from 1 to {_LARGEST_IMAGE}, not {image_size}."
        )
    checks.check_choice("renderer", renderer, Renderer)
    return seed, image_size


def choose_processes(wanted: int | None, objects: int) -> int:
    """Chooses the number of processes that make objects.

    Args:
        wanted: the number that was asked for; None for one a core, or fewer if there
            are few objects.
        objects: number of objects.
    """
    if wanted is None:
        wanted = min(cores.count_cores(), objects // _OBJECTS_PER_PROCESS)
    return min(wanted, objects)


@contextlib.contextmanager
def make_in_order(
    make_object: Callable,
    make_mesh: Callable,
    calls: Iterable[tuple],
    image_size: int,
    renderer: Renderer,
    processes: int,
) -> Iterator[Iterator[tuple[np.ndarray, np.ndarray]]]:
    """Gives the images and voxels of objects in order, while its context lasts.

    Both functions are of modules that need no JAX, and return the same voxels.

    Args:
        make_object: makes the images and voxels of an object, from the arguments of a
            call and ``image_size``; see `jaxsoftras.shapes.making.draw`.
        make_mesh: makes the mesh and voxels of an object, from the arguments of a call;
            see `jaxsoftras.shapes.making.shade`.
        calls: arguments for each object.
        image_size: width and height of the images, pixels.
        renderer: the renderer of the images, which decides which function is called.
        processes: number of processes; up to 1 makes all objects in this one.
    """
    if renderer == "numpy":
        full = ((*call, image_size) for call in calls)
        made = workers.map_in_order(make_object, full, processes)
        rendered = made
    else:
        made = workers.map_in_order(make_mesh, calls, processes)
        rendered = accelerated.render_in_order(made, image_size)
    with contextlib.closing(made):
        yield rendered
