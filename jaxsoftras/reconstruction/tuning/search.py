"""A search that processes share: its trials, and whose they are.

Whatever takes a trial, or gives one back, holds the lock of the folder. Each process
holds a lock of its own besides, by which the others see that it lives.
"""

from __future__ import annotations

import contextlib
import secrets
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.storages.journal import JournalStorage
from optuna.trial import FrozenTrial, TrialState

from jaxsoftras.reconstruction.run_folder import RunError
from jaxsoftras.reconstruction.tuning import journal, sampler
from jaxsoftras.reconstruction.tuning import space as spaces
from jaxsoftras.reconstruction.tuning.trial import Outcome

FILE = "journal.log"

_DAMAGE = (ValueError, KeyError, TypeError, AssertionError, RecursionError)
_STARTUP = 5  # trials that are complete before any is pruned
_HOPELESS = 5  # failed trials, where there are no others
_MOST_TRIES = 3  # of a trial whose process is killed
_WORKER, _TRIES, _REPEATS = "worker", "tries", "repeats"  # attributes of trials
REASON, SCORED, MEASURE, PART = "reason", "scored", "measure", "part"
START, SECONDS = "start", "seconds"


class Trial(NamedTuple):
    """A trial that this process has taken.

    Attributes:
        number: its number, from 0.
        point: values of the fields.
        handle: the trial of optuna.
    """

    number: int
    point: spaces.Point
    handle: optuna.Trial


class Search:
    """Trials of one search, of this process and of others."""

    def __init__(
        self, workdir: Path, space: spaces.Space, seed: int, steps: int, *, prune: bool
    ):
        """Opens the trials in a folder, which exists; see `join`.

        Args:
            workdir: the folder.
            space: the search space.
            seed: seed of the choice of points.
            steps: number of steps of a trial.
            prune: whether trials end early that do worse than the median of the
                complete ones at the same step.

        Raises:
            RunError: the journal is damaged.
        """
        self._workdir, self._space = workdir, space
        self._lock = journal.Lock(workdir / ".lock")
        self._worker = secrets.token_hex(8)
        self._distributions = sampler.make_distributions(space)
        pruner = optuna.pruners.NopPruner()
        if prune:
            pruner = optuna.pruners.MedianPruner(_STARTUP, steps // 4, n_min_trials=3)
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        path = workdir / FILE
        with self._lock.hold():
            try:
                self._study = optuna.create_study(
                    storage=JournalStorage(journal.Journal(path)),
                    study_name="tune",
                    direction="maximize",
                    sampler=sampler.Sampler(space, seed),
                    pruner=pruner,
                    load_if_exists=True,
                )
            except _DAMAGE as error:
                raise RunError(
                    f"{path} is damaged ({error}): put back a copy, or choose another "
                    "--workdir."
                ) from None

    @contextlib.contextmanager
    def join(self) -> Iterator[None]:
        """Takes part in the search within a scope, in which trials may be taken."""
        lock = self._worker_lock(self._worker)
        try:
            with lock.hold():
                yield
        finally:
            lock.remove()  # once it is closed, as Windows demands

    def ask(self, limit: int) -> Trial | None:
        """Takes a trial: one that is to be repeated, or a new one.

        Args:
            limit: number of trials of the whole search.

        Returns:
            The trial; None if there are as many, or all points have been tried.
        """
        with self._lock.hold(), warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)  # of optuna 4
            self._give_back_dead()
            trials = self.list_trials()
            if not any(each.state == TrialState.WAITING for each in trials):
                if len(trials) >= limit or self._is_exhausted():
                    return None
            handle = self._study.ask(self._distributions)
            handle.set_user_attr(_WORKER, self._worker)
        return Trial(handle.number, handle.params, handle)

    def report(self, trial: Trial, step: int, score: float) -> bool:
        """Reports a validation.

        Returns:
            Whether the trial is to end, for it does worse than others did.
        """
        trial.handle.report(score, step)
        return trial.handle.should_prune()

    def finish(self, trial: Trial, outcome: Outcome) -> None:
        """Ends a trial with its best score."""
        for name, value in (
            (SCORED, outcome.step),
            (MEASURE, outcome.scores.measure),
            (PART, outcome.scores.part),
            (START, round(outcome.start, 3)),
            (SECONDS, round(outcome.seconds, 3)),
        ):
            trial.handle.set_user_attr(name, value)
        if outcome.pruned:
            self._study.tell(trial.handle, state=TrialState.PRUNED)
        else:
            self._study.tell(trial.handle, outcome.scores.mean)

    def fail(self, trial: Trial, reason: str) -> None:
        """Ends a trial that cannot be completed."""
        trial.handle.set_user_attr(REASON, reason)
        self._study.tell(trial.handle, state=TrialState.FAIL)

    def put_back(self, trial: Trial) -> None:
        """Leaves a trial to be repeated, by whichever process is next."""
        with self._lock.hold():
            frozen = self._study.get_trials(deepcopy=False)[trial.number]
            self._repeat(frozen, frozen.user_attrs.get(_TRIES, 1))

    def is_hopeless(self) -> bool:
        """Whether several trials have failed, and none has not."""
        states = [each.state for each in self.list_trials()]
        return len(states) >= _HOPELESS and set(states) == {TrialState.FAIL}

    def list_trials(self) -> list[FrozenTrial]:
        """All trials but those that others repeat."""
        trials = self._study.get_trials(deepcopy=False)
        repeated = {each.user_attrs.get(_REPEATS) for each in trials}
        return [
            each
            for each in trials
            if each.number not in repeated
            and (each.state == TrialState.WAITING or self._find_point(each))
        ]

    def rank_fields(self) -> dict[str, float]:
        """Importance of each field, by PED-ANOVA (Watanabe et al., 2023).

        Returns:
            Parts of 1, the largest first; empty while there are too few trials.
        """
        trials = self.list_trials()
        complete = [each for each in trials if each.state == TrialState.COMPLETE]
        if len(complete) < _STARTUP or len({each.value for each in complete}) < 2:
            return {}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # experimental; fields of one value
            return optuna.importance.get_param_importances(
                self._study, evaluator=optuna.importance.PedAnovaImportanceEvaluator()
            )

    def _is_exhausted(self) -> bool:
        tried = sampler.list_tried(self._study, self._distributions)
        return len(tried) >= spaces.count(self._space)

    def _give_back_dead(self) -> None:
        """Leaves the trials of processes that live no more to be repeated."""
        for each in self._study.get_trials(
            deepcopy=False, states=(TrialState.RUNNING,)
        ):
            worker = each.user_attrs.get(_WORKER, "")
            if worker == self._worker or self._worker_lock(worker).is_held():
                continue
            self._worker_lock(worker).remove()
            self._repeat(each, each.user_attrs.get(_TRIES, 1) + 1)

    def _repeat(self, trial: FrozenTrial, tries: int) -> None:
        """Ends a trial, with a repetition in its place if it has not had too many."""
        point = self._find_point(trial)
        repeats = [
            each.user_attrs.get(_REPEATS)
            for each in self._study.get_trials(deepcopy=False)
        ]
        # a process that was killed in here has made the repetition, and no more
        if point and tries <= _MOST_TRIES and trial.number not in repeats:
            self._study.enqueue_trial(
                point, user_attrs={_REPEATS: trial.number, _TRIES: tries}
            )
        self._study.tell(trial.number, state=TrialState.FAIL)

    def _find_point(self, trial: FrozenTrial) -> dict[str, Any]:
        """Values of all fields of a trial; empty if it was cut off before that."""
        for point in (trial.params, trial.system_attrs.get("fixed_params", {})):
            if self._distributions.keys() <= point.keys():
                return dict(point)
        return {}

    def _worker_lock(self, worker: str) -> journal.Lock:
        return journal.Lock(self._workdir / f".worker-{worker}.lock")
