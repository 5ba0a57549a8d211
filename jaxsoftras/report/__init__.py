"""Reports of evaluated runs: one HTML file with scores, curves and meshes to turn.

* `jaxsoftras.report.examples`: ``examples.npz``, the objects that a report shows.
* `jaxsoftras.report.history`: the course of the training.
* `jaxsoftras.report.results`: all files that a report is made from, checked.
* `jaxsoftras.report.curves`, `jaxsoftras.report.scenes`: what the page draws.
* `jaxsoftras.report.embedding`: images, arrays and programs as text.
* `jaxsoftras.report.search`: the page about a search for hyperparameters.
* `jaxsoftras.report.page`: the page. ``page.html`` is its template, for Jinja;
  ``page.css`` and ``page.js`` are copied into it.

The command line is ``python -m jaxsoftras report --help``. Reports need the packages of
the extra ``report``; nothing here needs those of training.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jaxsoftras import atomic, extras, written_files
from jaxsoftras.guesses import answer_module as _answer_module
from jaxsoftras.report import results

FILE = "report.html"


def write(workdir: Path, split: str) -> Path:
    """Writes the report of an evaluated run, whole or not at all.

    Args:
        workdir: the run folder.
        split: name of the split.

    Returns:
        The file, ``eval/<split>/report.html`` in the run folder.

    Raises:
        MissingExtraError: a package of the extra ``report`` is not installed.
        ProgramError: there is no such evaluation, or its files are damaged.
        ConfigError: the run has a damaged configuration.
        OSError: a file cannot be read or written.
    """
    extras.require("write a report", "plotly", "jinja2")
    from jaxsoftras.report import page

    found = results.read(workdir, split)
    folder = results.folder_of(workdir, split)
    with written_files.add(folder, FILE) as partial:
        partial.write_text(page.make(found), encoding="utf-8")
    return folder / FILE


def write_search(workdir: Path, title: str, results: Mapping[str, Any]) -> Path:
    """Writes the report of a search for hyperparameters, whole or not at all.

    Args:
        workdir: folder of the search.
        title: heading.
        results: the results, as ``results.json`` has them.

    Returns:
        The file, ``report.html`` in the folder.

    Raises:
        MissingExtraError: a package of the extra ``report`` is not installed.
        OSError: the file cannot be written.
    """
    extras.require("draw a search", "plotly")
    from jaxsoftras.report import search

    path = workdir / FILE
    with atomic.file(path) as partial:
        partial.write_text(search.make_page(title, results), encoding="utf-8")
    return path


_answer_module(__name__)
