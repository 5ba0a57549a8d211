"""The notebooks: reading, running in this process, and executing in a kernel.

    python -m tests.support.notebooks [NAME ...]

executes the notebooks of these names, or all, from top to bottom in fresh kernels, and
writes them with their outputs. It needs the extra ``dev``.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import json
import os
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jaxsoftras import atomic, terminal

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "notebooks"
PARAMETERS = "parameters"
"""Tag of the cell that assigns the numbers that a short run replaces."""

_TIMEOUT = 900  # seconds of a cell
_DIGEST = "executed_source"


def list_notebooks() -> list[Path]:
    """Lists the notebooks by name."""
    return sorted(FOLDER.glob("*.ipynb"))


def read(path: Path) -> dict[str, Any]:
    """Reads a notebook."""
    return json.loads(path.read_text(encoding="utf-8"))


def source(cell: Mapping[str, Any]) -> str:
    """Text of a cell, which files hold in one piece or by lines."""
    return "".join(cell["source"])


def code_cells(notebook: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Lists the cells that are executed."""
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def digest(notebook: Mapping[str, Any]) -> str:
    """Hash of the code, by which outputs of other code are recognised."""
    texts = [source(cell) for cell in code_cells(notebook)]
    return hashlib.sha256(json.dumps(texts).encode()).hexdigest()


def is_current(notebook: Mapping[str, Any]) -> bool:
    """Whether the outputs are those of the code."""
    return notebook["metadata"].get(_DIGEST) == digest(notebook)


def run(path: Path, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Runs the code of a notebook in this process.

    Args:
        path: file of the notebook.
        parameters: values in place of those that its cell of parameters assigns.

    Returns:
        The names that the notebook has assigned.

    Raises:
        ValueError: the cell assigns no such parameter, or there is not one such cell.
    """
    names: dict[str, Any] = {"__name__": "__main__"}
    replaced = 0
    for number, cell in enumerate(code_cells(read(path)), 1):
        exec(compile(source(cell), f"{path.name}, cell {number}", "exec"), names)
        if PARAMETERS in cell["metadata"].get("tags", ()):
            if unknown := parameters.keys() - names.keys():
                raise ValueError(f"{path.name} has no parameter {min(unknown)}.")
            names.update(parameters)
            replaced += 1
    if replaced != 1:
        raise ValueError(f"{path.name} has {replaced} cells of parameters, not 1.")
    return names


def execute(path: Path) -> dict[str, Any]:
    """Executes a notebook in a fresh kernel, in an empty folder.

    Returns:
        The notebook with its outputs.

    Raises:
        ProgramError: a cell fails or writes to stderr.
    """
    nbclient: Any = importlib.import_module("nbclient")
    nbformat: Any = importlib.import_module("nbformat")
    notebook = nbformat.read(path, as_version=4)
    # the tests' choices for JAX are not a reader's
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("JAX_", "XLA_"))
    }
    paths = [str(ROOT), environment.get("PYTHONPATH", "")]
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    with tempfile.TemporaryDirectory() as folder:
        client = nbclient.NotebookClient(
            notebook,
            timeout=_TIMEOUT,
            kernel_name="python3",
            coalesce_streams=True,
            extra_arguments=["--log-level=ERROR"],
            resources={"metadata": {"path": folder}},
        )
        try:
            client.execute(env=environment)
        except nbclient.exceptions.CellExecutionError as error:
            raise terminal.ProgramError(f"{path.name}: {error}") from None
    for number, cell in enumerate(code_cells(notebook), 1):
        _clean(cell)
        for output in cell["outputs"]:
            if output.get("name") == "stderr":
                raise terminal.ProgramError(
                    f"{path.name}, cell {number} writes to stderr: {output['text']}"
                )
    kernel = notebook["metadata"]["kernelspec"]
    notebook["metadata"] = {
        "kernelspec": kernel,
        "language_info": {"name": "python"},
        _DIGEST: digest(notebook),
    }
    nbformat.validate(notebook)
    return notebook


def _clean(cell: dict[str, Any]) -> None:
    """Removes times of execution, and second encodings of one image."""
    cell["metadata"].pop("execution", None)
    for output in cell["outputs"]:
        data = output.get("data", {})
        if "image/png" in data:
            data.pop("image/jpeg", None)


def write(path: Path, notebook: Mapping[str, Any]) -> None:
    """Writes a notebook, whole or not at all."""
    nbformat: Any = importlib.import_module("nbformat")
    text = nbformat.writes(nbformat.from_dict(notebook))  # a line of code in each line
    with atomic.file(path) as partial:
        partial.write_text(f"{text}\n", encoding="utf-8")


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line."""
    known = {path.stem: path for path in list_notebooks()}
    parser = argparse.ArgumentParser(
        prog="python -m tests.support.notebooks",
        description="Execute notebooks, and write them with their outputs.",
    )
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"of {', '.join(known)} (default: all)"
    )
    names = parser.parse_args(arguments).names or list(known)
    if unknown := [name for name in names if name not in known]:
        parser.error(f"there is no notebook {unknown[0]}; choose of {', '.join(known)}")

    def command() -> None:
        for name in names:
            start = time.perf_counter()
            write(known[name], execute(known[name]))
            kilobytes = known[name].stat().st_size / 1000
            seconds = time.perf_counter() - start
            print(f"{name}: {seconds:.0f} s, {kilobytes:.0f} kB", flush=True)

    return terminal.run(parser.prog, command)


if __name__ == "__main__":
    terminal.leave(main)
