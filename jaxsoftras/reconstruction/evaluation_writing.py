"""The files of an evaluation in its run folder."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from jaxsoftras import atomic, config, extras, report, written_files
from jaxsoftras.reconstruction import (
    evaluation_pictures,
    evaluation_scores,
    evaluation_summary,
    run_folder,
    showcase,
)
from jaxsoftras.reconstruction.evaluation_scores import Scores
from jaxsoftras.reconstruction.evaluation_subject import Subject
from jaxsoftras.report import examples, results

_SUFFIXES = (".glb", ".html", ".json", ".npz", ".obj", ".png")  # of what is written


def write(
    workdir: Path,
    subject: Subject,
    metrics: dict[str, Any],
    scores: Scores,
    shown: examples.Examples,
    pictures: evaluation_pictures.Pictures,
    *,
    keep_config: bool,
) -> list[str]:
    """Writes all results of an evaluation, in place of those of one before.

    Args:
        workdir: the run folder.
        subject: what was evaluated.
        metrics: contents of ``metrics.json``.
        scores: its scores.
        shown: the objects of the report.
        pictures: what the galleries show.
        keep_config: whether to write the configuration beside the results, as no run
            folder has it.

    Returns:
        Lines that say what was written, and which files are not of this evaluation.
    """
    folder = results.folder_of(workdir, scores.split)
    with atomic.workspace(folder) as new:
        save(new, metrics, scores, subject.settings if keep_config else None)
        showcase.write(new, shown, subject.settings)
        faces = subject.experiment.network.faces
        files = evaluation_pictures.write(new, pictures, faces)
        removed = written_files.replace(folder, new)
    return [
        f"Written to {folder}: {evaluation_summary.FILE}, {evaluation_scores.FILE}, "
        f"{files}.",
        _write_report(workdir, scores.split),
        *_list_leftovers(folder, removed),
    ]


def save(
    folder: Path,
    metrics: dict[str, Any],
    scores: Scores,
    settings: config.Config | None = None,
) -> None:
    """Writes means, their scores, and the configuration if any: all files or none."""
    names = [evaluation_scores.FILE, evaluation_summary.FILE]
    names += [run_folder.CONFIG] * (settings is not None)
    with atomic.files([folder / name for name in names]) as partials:
        evaluation_scores.write(scores, partials[0])
        evaluation_summary.write(metrics, partials[1])
        if settings is not None:
            config.save(settings, partials[2])


def _write_report(workdir: Path, split_name: str) -> str:
    """Writes the report, and says where it is, or why there is none."""
    try:
        path = report.write(workdir, split_name)
    except extras.MissingExtraError as error:
        return (
            f"{error} Then run: jaxsoftras report {shlex.quote(str(workdir))} "
            f"--split {split_name}."
        )
    return f"Report: {path}, {path.stat().st_size / 1e6:.1f} MB."


def _list_leftovers(folder: Path, removed: Sequence[str]) -> Iterator[str]:
    """Says which files of an evaluation before are gone, and which may be of one."""
    if gone := [name for name in removed if not (folder / name).exists()]:
        yield f"Removed, as of an evaluation before: {', '.join(gone)}."
    names = written_files.find_others(folder)
    if others := [name for name in names if name.lower().endswith(_SUFFIXES)]:
        yield f"Not of this evaluation, and left there: {', '.join(others)}."
