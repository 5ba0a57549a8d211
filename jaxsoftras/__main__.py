"""The command line: ``jaxsoftras COMMAND ...``, or ``python -m jaxsoftras``."""

from __future__ import annotations

import importlib
import sys
from typing import NamedTuple, NoReturn

import jaxsoftras
from jaxsoftras import extras, interruption, terminal


class Command(NamedTuple):
    """A command: a module with ``main(arguments, *, prog) -> int``.

    Attributes:
        module: name of the module. It is imported only when its command is chosen, so
            that ``--help`` is quick and one command does not need another's packages.
        summary: one line for ``--help``.
    """

    module: str
    summary: str


COMMANDS = {
    "train": Command(
        "jaxsoftras.reconstruction.training_run",
        "train a network that turns one image into a 3D mesh",
    ),
    "eval": Command(
        "jaxsoftras.reconstruction.evaluation_run",
        "evaluate a run: voxel IoU, gallery, meshes, report",
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


def run() -> NoReturn:
    """Runs a command as a process of its own, which ends with the exit code."""
    terminal.leave(main)


if __name__ == "__main__":
    run()
