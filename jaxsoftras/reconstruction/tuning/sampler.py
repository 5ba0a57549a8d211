"""The choice of points: tree-structured Parzen estimators, and no point twice."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from optuna import Study
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import BaseSampler, TPESampler
from optuna.trial import FrozenTrial

from jaxsoftras.reconstruction.tuning import space as spaces

_RANDOM = 8  # trials before the estimators have enough to go by
_DRAWS = 20  # of the estimators, to find a point that has not been tried
_LISTED = 10_000  # points of a space of which all can be listed


def make_distributions(space: spaces.Space) -> dict[str, BaseDistribution]:
    """Distributions of optuna, by field."""

    def make(each: spaces.Range | spaces.Choice) -> BaseDistribution:
        if isinstance(each, spaces.Choice):
            return CategoricalDistribution(each.values)
        if each.whole:
            step = int(each.step or 1)
            return IntDistribution(int(each.low), int(each.high), each.log, step)
        return FloatDistribution(each.low, each.high, each.log, each.step)

    return {path: make(each) for path, each in space.items()}


class Sampler(BaseSampler):
    """Chooses points that no trial has, by TPE (Bergstra et al., 2011).

    The random numbers of a trial are those of the seed and of its number, so that
    processes of the same seed draw different ones. Trials that are under way count as
    bad ones (the constant liar), so that others do not crowd around them.
    """

    def __init__(self, space: spaces.Space, seed: int):
        """Makes a sampler.

        Args:
            space: the search space.
            seed: seed of all choices, not negative.
        """
        self._space, self._seed = space, seed
        self._distributions = make_distributions(space)

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """The whole space: all fields are chosen together."""
        return self._distributions

    def sample_relative(
        self,
        study: Study,
        trial: FrozenTrial,
        search_space: dict[str, BaseDistribution],
    ) -> dict[str, Any]:
        """Chooses a point; one that was tried if and only if no other is left."""
        tried = list_tried(study, self._distributions)
        for draw in range(_DRAWS):
            point = self._draw(study, trial, draw)
            if tuple(point.values()) not in tried:
                return point
        left = self._list_untried(tried)
        random = np.random.default_rng([self._seed, trial.number])
        return left[random.integers(len(left))] if left else point

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Chooses a field by itself, that a trial to be repeated lacks."""
        sampler = TPESampler(seed=self._derive(trial, 0))
        return sampler.sample_independent(study, trial, param_name, param_distribution)

    def _draw(self, study: Study, trial: FrozenTrial, draw: int) -> dict[str, Any]:
        sampler = TPESampler(
            n_startup_trials=_RANDOM,
            multivariate=True,
            constant_liar=True,
            seed=self._derive(trial, draw),
        )
        space = self._distributions
        found = sampler.sample_relative(study, trial, space)
        return {
            path: found[path]
            if path in found
            else sampler.sample_independent(study, trial, path, space[path])
            for path in space
        }

    def _derive(self, trial: FrozenTrial, draw: int) -> int:
        """Seed of one draw for a trial."""
        sequence = np.random.SeedSequence([self._seed, trial.number, draw])
        return int(sequence.generate_state(1)[0])

    def _list_untried(self, tried: set[tuple[Any, ...]]) -> list[dict[str, Any]]:
        if spaces.count(self._space) > _LISTED:
            return []
        values = [_list_values(each) for each in self._distributions.values()]
        return [
            dict(zip(self._distributions, point, strict=True))
            for point in itertools.product(*values)
            if point not in tried
        ]


def list_tried(study: Study, paths: Iterable[str]) -> set[tuple[Any, ...]]:
    """Points of all trials, as values in the order of the given fields."""
    wanted = list(paths)
    return {
        tuple(trial.params[path] for path in wanted)
        for trial in study.get_trials(deepcopy=False)
        if set(wanted) <= trial.params.keys()
    }


def _list_values(distribution: BaseDistribution) -> Sequence[Any]:
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices
    assert isinstance(distribution, IntDistribution | FloatDistribution)
    step = distribution.step or 1
    count = round((distribution.high - distribution.low) / step) + 1
    return [distribution.low + number * step for number in range(count)]
