"""The command line: ``jaxsoftras COMMAND ...``, or ``python -m jaxsoftras``."""

from __future__ import annotations

import contextlib
import importlib
import sys
import threading
from collections.abc import Sequence
from typing import NamedTuple, NoReturn

import jax

import jaxsoftras
from jaxsoftras import extras, interruption, terminal


class Command(NamedTuple):
    """A command: a module with ``main(arguments, *, prog) -> int``.

    Attributes:
        module: name of the module. It is imported only when its command is chosen, so
            that ``--help`` is quick and one command does not need another's packages.
        summary: one line for ``--help``.
        devices: whether it begins with JAX's devices, which take seconds to open.
    """

    module: str
    summary: str
    devices: bool = False


COMMANDS = {
    "train": Command(
        "jaxsoftras.reconstruction.training_run",
        "train a network that turns one image into a 3D mesh",
        devices=True,
    ),
    "tune": Command(
        "jaxsoftras.reconstruction.tuning.run",
        "search for the fields of a configuration that reconstruct best",
    ),
    "eval": Command(
        "jaxsoftras.reconstruction.evaluation_run",
        "evaluate a run: voxel IoU, gallery, meshes, report",
        devices=True,
    ),
    "report": Command(
        "jaxsoftras.report.__main__", "write the report of an evaluated run again"
    ),
    "predict": Command(
        "jaxsoftras.prediction.predict_run",
        "turn pictures into meshes with a trained network",
    ),
    "fit": Command(
        "jaxsoftras.fitting.fit_run",
        "fit meshes to silhouettes, without a network",
    ),
    "view": Command(
        "jaxsoftras.viewer.view_run",
        "look at runs, meshes and predictions in the browser",
    ),
    "export": Command(
        "jaxsoftras.reconstruction.export_run",
        "write the network of a run to one file to share",
    ),
    "import-softras": Command(
        "jaxsoftras.model_files.import_run",
        "convert a PyTorch checkpoint of Soft Rasterizer",
    ),
    "compare": Command(
        "jaxsoftras.reconstruction.comparison_run",
        "compare runs: differences, intervals, tests",
    ),
    "data": Command(
        "jaxsoftras.data.__main__", "fetch, make, convert and inspect data sets"
    ),
    "shapes": Command(
        "jaxsoftras.shapes.__main__", "make a data set of procedural shapes"
    ),
    "vary": Command(
        "jaxsoftras.variations.vary_run",
        "make a data set of variations of fitted meshes",
    ),
    "bench": Command(
        "jaxsoftras.kernels.bench", "compare and time the rasterizer's implementations"
    ),
}
USAGE = "usage: jaxsoftras COMMAND ..."


def _format_help() -> str:
    width = max(map(len, COMMANDS))
    commands = [f"  {name:{width}}  {c.summary}" for name, c in COMMANDS.items()]
    return "\n".join(
        [
            USAGE,
            "",
            "Differentiable soft rasterization and mesh reconstruction in JAX.",
            "",
            "commands:",
            *commands,
            "",
            "jaxsoftras COMMAND --help explains a command; jaxsoftras --version prints "
            "the version.",
        ]
    )


def main(arguments: list[str] | None = None) -> int:
    """Runs a command.

    Args:
        arguments: words after the program's name; those of the process if None.

    Returns:
        The command's exit code; 2 if there is no such command.
    """
    words = sys.argv[1:] if arguments is None else arguments
    if not words:
        print(_format_help(), file=sys.stderr)
        return 2
    name, *rest = words
    if name in ("-h", "--help"):
        print(_format_help())
        return 0
    if name == "--version":
        print(jaxsoftras.__version__)
        return 0
    if name not in COMMANDS:
        print(
            f"jaxsoftras: there is no command {name!r}; choose one of "
            f"{', '.join(COMMANDS)}.",
            file=sys.stderr,
        )
        return 2
    return run_command(name, rest, prog=f"jaxsoftras {name}")


def run_command(name: str, arguments: list[str] | None, *, prog: str) -> int:
    """Imports the module of a command and runs it.

    Args:
        name: a key of `COMMANDS`.
        arguments: words after the program's name; those of the process if None.
        prog: name of the program in messages.

    Returns:
        The command's exit code; 2 if a package that it needs is not installed.
    """
    if COMMANDS[name].devices:
        _open_devices(sys.argv[1:] if arguments is None else arguments)
    try:
        # an import has nothing to clean up
        with interruption.Stop().handle(prog, at_once=True):
            module = importlib.import_module(COMMANDS[name].module)
    except extras.MissingExtraError as error:
        print(f"{prog}: {error}", file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:  # what one of its dependencies needs
        print(f"{prog}: {error}; install jaxsoftras again.", file=sys.stderr)
        return 2
    return module.main(arguments, prog=prog)


def _open_devices(arguments: Sequence[str]) -> None:
    """Has JAX open its devices in a thread, while modules are imported.

    Several processes have to find each other before they do.

    Args:
        arguments: of a command that may be several processes.
    """
    alone = ("-h", "--help", "--distributed", "--coordinator")
    if any(word.startswith(alone) for word in arguments):
        return

    def open_devices() -> None:
        # the command meets the error again, and reports it
        with contextlib.suppress(Exception):
            jax.block_until_ready(jax.numpy.zeros(()))

    # not a daemon: the interpreter would end beside it
    threading.Thread(target=open_devices, name="devices").start()


def run() -> NoReturn:
    """Runs a command as a process of its own, which ends with the exit code."""
    terminal.leave(main)


if __name__ == "__main__":
    run()
