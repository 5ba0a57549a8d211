"""A checkpoint and a split, opened to be scored."""

from __future__ import annotations

import hashlib
import json
import math
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import jax
import numpy as np

from jaxsoftras import config, data, model_files, models, terminal
from jaxsoftras.reconstruction import (
    accelerators,
    checkpoint_files,
    evaluation,
    evaluation_groups,
    processes,
    runs,
    shared_checkpoints,
    training,
    training_data,
    true_meshes,
)
from jaxsoftras.reconstruction.evaluation_scores import Scores
from jaxsoftras.reconstruction.run_folder import CHECKPOINTS
from jaxsoftras.reconstruction.surface_scores import POINTS, THRESHOLD, SurfaceScorer


class SurfaceOptions(NamedTuple):
    """How reconstructions are compared with true meshes.

    Attributes:
        meshes: folder of the meshes that the data set was built from.
        points: number of points drawn from each surface; 0 to compare none.
        threshold: distance below which points are near for the F-score, model frame.
    """

    meshes: Path | None = None
    points: int = POINTS
    threshold: float = THRESHOLD

    def check(self) -> None:
        """Raises ValueError for numbers that make no sense."""
        if self.points < 0:
            raise ValueError(f"--points must not be negative, as {self.points} is.")
        if not (math.isfinite(self.threshold) and self.threshold > 0):
            raise ValueError(f"--threshold must be positive, not {self.threshold}.")


DEFAULT_SURFACES = SurfaceOptions()


class Subject:
    """A checkpoint of a run, and the split that it is evaluated on.

    Attributes:
        settings: configuration of the run, with the folder of the data.
        step: step of the checkpoint.
        experiment: functions of the configuration.
        variables: parameters and batch statistics, on the devices.
        split: the objects.
        sigma: sharpness of the rasterizer at this step, NDC squared.
        inverted: whether a model file says that its network takes inverted colours.
        remarks: a warning that the data set is not that of the run, if it is not.
    """

    def __init__(
        self,
        workdir: Path,
        split_name: str,
        step: int | Literal["best"] | None = None,
        overrides: Sequence[str] = (),
        model: Path | None = None,
    ):
        """Opens a checkpoint and a split; warns of data that are not those of the run.

        Args:
            workdir: the run folder.
            split_name: ``"train"``, ``"val"``, ``"test"`` or ``"style"``.
            step: step of the checkpoint, or ``"best"`` for that of the best validation;
                the newest if None.
            overrides: assignments to fields of ``data``, for another data set than that
                of the run.
            model: a model file in place of the run, which every process reads.

        Raises:
            ConfigError, RunError, ModelFileError, ValueError, OSError: the message says
                in one sentence what is wrong.
        """
        self._workdir, self._model = workdir, model
        found = accelerators.find_devices()
        self.inverted = False
        if model is None:
            settings, self.step, values = shared_checkpoints.load(workdir, step)
        else:
            trained = model_files.load(model)
            settings, self.step = trained.config, trained.step
            self.inverted = trained.inverted
            values = jax.device_get(trained.variables)
        began, settings = settings.data, _override_data(settings, overrides)
        self.settings = settings
        self.split = processes.in_turn(
            lambda: data.open_split(settings.data, split_name)
        )
        training.check_image_size(settings, self.split)
        self.remarks = self._compare_data(began) if overrides and not model else []
        devices = accelerators.device_mesh(len(found), found)
        self.experiment = training.Experiment(settings, devices)
        like = jax.eval_shape(self.experiment.init, 0).variables
        self.variables = shared_checkpoints.spread(
            values, runs.abstract(like, self.experiment.replicated)
        )
        self.sigma = float(self.experiment.sigma(self.step))

    @property
    def _source(self) -> config.Data | config.Source:
        return (*self.settings.data.sources, self.settings.data)[0]

    def _compare_data(self, began: config.Data) -> list[str]:
        """Warns if the data set is not that of the run; returns the warnings."""
        chosen = self.settings.data
        if not processes.on_first(
            lambda: training_data.is_another(
                self._workdir, chosen, self.split.categories
            )
        ):
            return []
        roots = " and ".join(source.root for source in began.sources or (began,))
        remark = (
            f"The data set in {chosen.root} is not the one in {roots} that this run "
            "began with: the results are those of the former."
        )
        if processes.is_first():
            warnings.warn(remark, stacklevel=3)
        return [remark]

    def find_meshes(self, folder: Path | None) -> true_meshes.TrueMeshes:
        """Finds the true meshes of the split; see `true_meshes.find_meshes`."""
        objects = evaluation_groups.list_objects(self.split)
        return true_meshes.find_meshes(self._source, self.split, objects, folder)

    def score(
        self,
        variables: models.Variables,
        title: str,
        truths: true_meshes.TrueMeshes | None = None,
        options: SurfaceOptions = DEFAULT_SURFACES,
    ) -> Scores:
        """Scores a network with a progress bar.

        Args:
            variables: parameters and batch statistics of the network.
            title: label of the progress bar.
            truths: meshes to compare with; None to compare with none.
            options: how to compare with them.
        """
        scorers = []
        if truths is not None:
            faces = np.asarray(self.experiment.network.faces)
            scorers.append(
                SurfaceScorer(truths.load, faces, options.points, options.threshold)
            )
        first = processes.is_first()
        with terminal.progress_bar(title) as progress:
            columns = evaluation.score_split(
                self.experiment,
                variables,
                self.split,
                self.sigma,
                progress if first else None,
                scorers,
            )
        return make_scores(
            self.split,
            self._source,
            columns,
            self.step,
            options if truths is not None else None,
            processes.on_first(self._find_checksum),
        )

    def _find_checksum(self) -> str:
        if self._model is None:
            return find_checksum(self._workdir, self.step)
        return _hash(self._model.read_bytes())


def _override_data(settings: config.Config, overrides: Sequence[str]) -> config.Config:
    """Sets fields of the data set, which is one even if the run's were several."""
    if not overrides:
        return settings
    for word in overrides:
        if not word.startswith("data."):
            field = word.partition("=")[0]
            raise config.ConfigError(
                f"An evaluation sets fields of data alone, not {field}: the others are "
                "the network's."
            )
    return config.override(settings, ["data.sources=()", *overrides])


def make_scores(
    split: data.Split,
    source: config.Data | config.Source,
    columns: dict[str, np.ndarray],
    step: int,
    surfaces: SurfaceOptions | None = None,
    checkpoint: str = "",
) -> Scores:
    """Joins scores with what they are of.

    Args:
        split: the objects.
        source: storage and folder of the data set.
        columns: ``[O, V]`` by name of the column; see `Scores`.
        step: step of the checkpoint.
        surfaces: how meshes were compared with true ones; None if they were not.
        checkpoint: checksum of the checkpoint; see `find_checksum`.
    """
    about = true_meshes.read_description(source)
    names = evaluation_groups.list_names(split, about)
    keys = [key for key, _ in evaluation_groups.list_objects(split)]
    return Scores(
        split=split.name,
        step=step,
        category=np.array(keys),
        category_name=np.array([split.names[key] for key in keys]),
        name=np.concatenate([np.array(names[key]) for key in split.categories]),
        views=np.concatenate([split.view_counts(key) for key in split.categories]),
        azimuth=evaluation_groups.find_azimuths(split),
        columns=columns,
        checkpoint=checkpoint,
        data=summarize_data(split),
        points=surfaces.points if surfaces else 0,
        threshold=surfaces.threshold if surfaces else 0.0,
    )


def find_checksum(workdir: Path, step: int) -> str:
    """Checksum of a checkpoint; empty if there is none or it has none."""
    path = workdir / CHECKPOINTS / str(step) / checkpoint_files.MANIFEST
    try:
        return _hash(path.read_bytes())
    except OSError:
        return ""


def _hash(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def summarize_data(split: data.Split) -> str:
    """Checksum of what `training_data.describe` says of a split."""
    return _hash(json.dumps(training_data.describe(split)).encode())


def list_problems(truths: true_meshes.TrueMeshes, scores: Scores) -> Iterator[str]:
    """A sentence on the objects that have no true mesh, if there are any.

    Args:
        truths: the meshes, after the objects have been scored.
        scores: the scores.
    """
    if truths.problems:
        first = min(truths.problems)
        yield (
            f"Objects without a true mesh: {len(truths.problems)} of "
            f"{len(scores.name)}, such as {scores.name[first]} of "
            f"{scores.category_name[first]} ({truths.problems[first].rstrip('.')})."
        )
