"""Fits of a whole split, in a folder that comparisons read as one of a run."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import rich.console

from jaxsoftras import atomic, config, data, terminal
from jaxsoftras.fitting.silhouettes import Fitter, Options
from jaxsoftras.reconstruction import (
    ceiling,
    evaluation_run,
    evaluation_subject,
    evaluation_summary,
    evaluation_table,
    evaluation_writing,
    run_folder,
    true_meshes,
)
from jaxsoftras.reconstruction.ceiling import Fitted
from jaxsoftras.reconstruction.evaluation_groups import list_objects
from jaxsoftras.reconstruction.evaluation_scores import Scores
from jaxsoftras.reconstruction.evaluation_subject import SurfaceOptions
from jaxsoftras.reconstruction.surface_scores import SurfaceScorer

FILE = "fit.json"
"""What the fits of a folder have in common, beside its ``config.json``."""

# fields that say nothing about fits, or repeat what the file above says
_OF_TRAINING = ("optim.", "augment.", "log.", "devices.", "render.anneal_steps")

FITS = "fits"
"""Folder of the fits of the single objects."""


class Plan(NamedTuple):
    """How the objects of a split are fitted.

    Attributes:
        settings: the configuration.
        options: what is optimised, and for how long.
        views: number of views of each object to fit to; all if 0.
        batch: number of objects to fit at once, at most.
        surfaces: how meshes are compared with true ones.
    """

    settings: config.Config
    options: Options
    views: int = 0
    batch: int = 32
    surfaces: SurfaceOptions = evaluation_subject.DEFAULT_SURFACES

    def check(self) -> None:
        """Raises ValueError for numbers that make no sense."""
        self.surfaces.check()
        if self.views < 0:
            raise ValueError(f"--views must not be negative, as {self.views} is.")
        if self.batch < 1:
            raise ValueError(f"--batch must be positive, not {self.batch}.")

    @property
    def source(self) -> config.Data | config.Source:
        """Storage and folder of the data set."""
        return (*self.settings.data.sources, self.settings.data)[0]

    def describe(self) -> dict[str, Any]:
        """Settings that all fits of a folder share, beside the configuration."""
        return {
            "parametrization": self.options.parametrization,
            "steps": self.options.steps,
            "learning_rate": self.options.rate,
            "views": self.views,
        }


def fit_split(
    plan: Plan,
    split_name: str,
    out: Path,
    console: rich.console.Console | None = None,
) -> dict[str, Any]:
    """Fits a mesh to every object of a split, and writes scores as an evaluation does.

    The folder gets ``config.json``, ``fit.json``, ``fits/SPLIT/CATEGORY_NUMBER.npz`` of
    each object as soon as its batch is finished, and ``eval/SPLIT/`` with
    ``scores.npz`` and ``metrics.json``. Objects that are there already are not fitted
    again.

    Args:
        plan: how the objects are fitted.
        split_name: ``"train"``, ``"val"``, ``"test"`` or ``"style"``.
        out: the folder, which is made if needed.
        console: where to print; stdout if None.

    Returns:
        The contents of ``metrics.json``.

    Raises:
        ProgramError: the folder holds fits of other options, or something else; numbers
            that are not finite.
        ConfigError, ValueError, OSError: the message says what is wrong.
    """
    plan.check()
    console = console or terminal.make_console()
    split = data.open_split(plan.settings.data, split_name)
    with _claim(out, plan):
        truths = _find_truths(plan, split)  # before the work, if it refuses
        fits = _fit_objects(plan, split, out / FITS)
        scores, notes = _score(plan, split, fits, truths)
        metrics = evaluation_summary.summarize(scores, notes)
        folder = out / evaluation_run.FOLDER / split_name
        evaluation_writing.save(folder, metrics, scores)
    console.print(evaluation_table.make_table(metrics))
    written = f"Written to {folder}: scores.npz, metrics.json; meshes in {out / FITS}."
    for line in [*notes, terminal.printable(written)]:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    return metrics


@contextlib.contextmanager
def _claim(out: Path, plan: Plan) -> Iterator[None]:
    """Claims a folder for the fits of a plan, within a scope."""
    with run_folder.claim(out, "--out"):
        settings = _simplify(plan)
        if (out / run_folder.CONFIG).is_file():
            _check_same(out, plan, settings)
        with atomic.files([out / FILE, out / run_folder.CONFIG]) as (record, saved):
            record.write_text(json.dumps(plan.describe(), indent=1) + "\n")
            config.save(settings, saved)
        yield


def _simplify(plan: Plan) -> config.Config:
    """The configuration with the steps of the fit, after which sigma is the last."""
    render, optim, steps = plan.settings.render, plan.settings.optim, plan.options.steps
    return dataclasses.replace(
        plan.settings,
        optim=dataclasses.replace(
            optim,
            steps=steps,
            learning_rate=plan.options.rate,
            warmup_steps=0,
            decay_step=steps + 1,
        ),
        render=dataclasses.replace(render, anneal_steps=steps),
    )


def _check_same(out: Path, plan: Plan, settings: config.Config) -> None:
    """Raises RunError unless a folder holds fits of the same plan."""
    path = out / FILE
    if not path.is_file():
        raise run_folder.RunError(
            f"{out} holds a run, and no fits: choose another --out."
        )
    found, here = _read_record(path), plan.describe()
    differ = [
        f"{name}: {found.get(name, 'nothing')!r} there, {value!r} here"
        for name, value in here.items()
        if found.get(name) != value
    ]
    differ += [
        phrase
        for phrase in config.conflicts(run_folder.read_config(out), settings)
        if not phrase.startswith(_OF_TRAINING)
    ]
    if differ:
        raise run_folder.RunError(
            f"{out} holds fits of other options ({'; '.join(differ)}): use the same "
            "ones, or choose another --out."
        )


def _fit_objects(plan: Plan, split: data.Split, folder: Path) -> list[Fitted]:
    """Fits of all objects, in the order of the split; those that are there are read."""
    objects, checksum = list_objects(split), evaluation_subject.summarize_data(split)
    vertices = 10 * 4**plan.settings.model.template_level + 2
    fits = ceiling.find_finished(folder, split, checksum, vertices)
    waiting = [item for item in objects if item not in fits]
    if fits and waiting:
        print(f"{len(fits)} of {len(objects)} objects are fitted already.")
    if not waiting:
        return [fits[item] for item in objects]
    count = math.ceil(len(waiting) / plan.batch)
    size = math.ceil(len(waiting) / count)  # batches of nearly the same size
    fit = ceiling.SplitFitter(Fitter(plan.settings, plan.options), split, plan.views)
    with terminal.progress_bar("fitting, steps") as progress:
        for number in range(count):
            items = waiting[number * size : (number + 1) * size]

            def report(done: int, total: int, before: int = number) -> None:
                progress(before * total + done, count * total)

            for item, found in zip(items, fit(items, size, report), strict=True):
                ceiling.save(ceiling.locate(folder, split, item), found, checksum)
                fits[item] = found
    return [fits[item] for item in objects]


def _find_truths(plan: Plan, split: data.Split) -> true_meshes.TrueMeshes | str:
    """The true meshes to compare with; or why there are none."""
    if not plan.surfaces.points:
        return "No meshes were compared (--points 0)"
    try:
        return true_meshes.find_meshes(
            plan.source, split, list_objects(split), plan.surfaces.meshes
        )
    except true_meshes.NoMeshes as error:
        return str(error)


def _score(
    plan: Plan,
    split: data.Split,
    fits: list[Fitted],
    truths: true_meshes.TrueMeshes | str,
) -> tuple[Scores, list[str]]:
    """Scores of the meshes, and notes on what they are and what is missing."""
    columns, surfaces = ceiling.make_columns(fits, split), None
    if not isinstance(truths, str):
        _compare_surfaces(plan, truths, fits, columns)
        surfaces = plan.surfaces
    steps = plan.options.steps
    scores = evaluation_subject.make_scores(
        split, plan.source, columns, steps, surfaces
    )
    notes = [_describe(plan, fits), *evaluation_summary.list_gaps(scores)]
    if isinstance(truths, str):
        notes.append(f"{truths}: no chamfer distance, F-score and thin IoU.")
    else:
        notes += evaluation_subject.list_problems(truths, scores)
    return scores, notes


def _describe(plan: Plan, fits: list[Fitted]) -> str:
    unseen = any(np.any(~fit.fitted & ~np.isnan(fit.view_iou)) for fit in fits)
    kind = f"a mesh of {len(fits[0].vertices)} vertices"
    return _explain(kind, plan.options.parametrization, plan.views if unseen else 0)


def _explain(kind: str, parametrization: str, views: int) -> str:
    """Says what was fitted to some views, all if 0."""
    which = "the views that were not fitted" if views else "the fitted views"
    number = f"{views} views" if views else "all views"
    return (
        f"No network: {kind} ({parametrization}) fitted to {number} of each object. "
        f"Silhouette IoU is of {which}."
    )


def describe_fits(workdir: Path, scores: Scores) -> str:
    """Says what the scores of fits mean; nothing if a folder is that of a run.

    Args:
        workdir: the folder.
        scores: its scores.

    Raises:
        RunError: the record of the fits is damaged.
    """
    path = workdir / FILE
    if not path.is_file():
        return ""
    record = _read_record(path)
    views, parametrization = record.get("views"), record.get("parametrization")
    if not (isinstance(parametrization, str) and type(views) is int and views >= 0):
        raise _report_damage(path, "it does not say what was fitted")
    if views >= scores.views.max():
        views = 0  # all
    return _explain("a mesh", parametrization, views)


def _read_record(path: Path) -> dict[str, Any]:
    """Reads ``fit.json``; raises RunError if it is damaged."""
    try:
        record = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise _report_damage(path, error) from None
    return record if isinstance(record, dict) else {}


def _report_damage(path: Path, reason: object) -> run_folder.RunError:
    return run_folder.RunError(
        f"{path} is damaged ({reason}): fit again, into another folder."
    )


def _compare_surfaces(
    plan: Plan,
    truths: true_meshes.TrueMeshes,
    fits: list[Fitted],
    columns: dict[str, np.ndarray],
) -> None:
    """Adds the scores of surfaces, the same for all views of an object."""
    faces = Fitter(plan.settings, plan.options).parametrization.faces
    score = SurfaceScorer(
        truths.load, faces, plan.surfaces.points, plan.surfaces.threshold
    )
    with terminal.progress_bar("comparing surfaces") as progress:
        for number, fit in enumerate(fits):
            seen = ~np.isnan(fit.view_iou)
            for name, values in score(number, fit.vertices[None]).items():
                columns[name][number, seen] = values[0]
            progress(number + 1, len(fits))
