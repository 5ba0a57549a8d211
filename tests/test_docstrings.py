"""Examples in the docstrings of public functions: each has one, and it runs."""

import doctest
import importlib
import inspect
import re
from collections.abc import Callable, Iterator

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsoftras

# modules whose functions users call by the module's name
MODULES = [
    "camera",
    "conorm",
    "conventions",
    "lenses",
    "lighting",
    "losses",
    "mesh",
    "normals",
    "pose",
    "probability",
    "rasterization",
    "self_intersections",
    "subdivision",
    "surface_sampling",
    "texture",
    "topology",
    "voxels",
]
# names that every example may use, beside the module of the function
NAMES = {"jax": jax, "jnp": jnp, "np": np, "jaxsoftras": jaxsoftras}
# modules whose examples are not written yet
PENDING: set[str] = set()
# a number as it is printed, such as -0.5, 3 or 1e-06
NUMBER = re.compile(r"-?\d+\.?\d*(?:e[+-]?\d+)?")


class Checker(doctest.OutputChecker):
    """Compares numbers within 1e-4, whose last digits depend on the machine."""

    def check_output(self, want, got, optionflags):
        texts = [NUMBER.sub("#", text).split() for text in (want, got)]
        numbers = [np.array(NUMBER.findall(text), float) for text in (want, got)]
        same = "".join(texts[0]) == "".join(texts[1])
        return same and np.allclose(*numbers, rtol=1e-4, atol=1e-4)


def home(function: Callable) -> str:
    """First part of a function's module below the package, such as ``meshfile``."""
    return function.__module__.split(".")[1]


def public_functions() -> Iterator[tuple[str, Callable]]:
    """Names and functions that a user may call, each function once."""
    seen = set()
    modules = [importlib.import_module(f"jaxsoftras.{name}") for name in MODULES]
    for module in (jaxsoftras, *modules):
        for name, value in inspect.getmembers(module, inspect.isroutine):
            documented = inspect.getdoc(value) or ""
            required = module is jaxsoftras or "\nArgs:" in documented
            ours = value.__module__.startswith("jaxsoftras.")
            if name.startswith("_") or not ours or not required or value in seen:
                continue
            seen.add(value)
            yield f"{home(value)}.{value.__name__}", value


FUNCTIONS = {
    name: function
    for name, function in public_functions()
    if home(function) not in PENDING
}


def test_functions_are_found():
    assert {"camera.project", "losses.laplacian", "conventions.to_blender"} <= set(
        FUNCTIONS
    )


@pytest.mark.parametrize("name", FUNCTIONS)
def test_example_runs(name):
    function = FUNCTIONS[name]
    module = importlib.import_module(f"jaxsoftras.{home(function)}")
    names = NAMES | {home(function): module}
    (example,) = doctest.DocTestFinder(recurse=False).find(
        inspect.unwrap(function), name, globs=names
    ) or [None]
    assert example is not None and example.examples, "has no example"
    report = []
    runner = doctest.DocTestRunner(Checker())
    result = runner.run(example, out=report.append)
    assert not result.failed, "".join(report)
