"""Compiled programs of trials, shared by all trials whose programs are alike.

A configuration's numbers are constants of its programs, so that every trial would
compile its own. Here learning rate, sigma and the weights of the loss are arguments
instead: parts of the state, which steps hand on. Trials that differ in nothing else
share one program.
"""

from __future__ import annotations

import collections
import copy
import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxsoftras import config, data, models
from jaxsoftras.data import agreement
from jaxsoftras.models import division
from jaxsoftras.reconstruction import (
    accelerators,
    coloring,
    feeding,
    objective,
    optimization,
    runs,
    training,
    validation,
)
from jaxsoftras.reconstruction.tuning import space as spaces

_KEPT = 8  # programs, of which each takes memory of the host

RATE = "optim.learning_rate"
SIGMA = "render.sigma"
WEIGHTS = tuple(f"loss.{name}" for name in objective.Losses._fields[1:])


class State(NamedTuple):
    """`training.TrainState`, and the numbers that are arguments of the steps.

    Attributes:
        step: see `training.TrainState`.
        variables: see there.
        opt_state: see there.
        numbers: scalars by field.
    """

    step: jax.Array
    variables: models.Variables
    opt_state: Any
    numbers: dict[str, jax.Array]

    @property
    def evaluated(self) -> models.Variables:
        """Variables that are validated: the average if there is one."""
        return training.TrainState(*self[:3]).evaluated


def split(settings: config.Config) -> tuple[config.Config, dict[str, float]]:
    """Splits a configuration into its programs' part and the numbers in the state.

    Sigma is a number unless it is annealed, and the weight of a term unless it is 0,
    as such a term is not computed.

    Args:
        settings: the configuration.

    Returns:
        The configuration with 1 in place of each number and without what no program
        depends on, equal for all trials that share programs; and the numbers.
    """
    fields = config.flat(settings)
    paths = [RATE, *(path for path in WEIGHTS if fields[path])]
    if settings.render.final_sigma is None:
        paths.append(SIGMA)
    common = config.override(settings, [f"{path}=1.0" for path in paths])
    common = dataclasses.replace(
        common,
        log=config.Log(),
        optim=dataclasses.replace(common.optim, steps=1),
        init_from="",
    )
    return common, {path: fields[path] for path in paths}


def list_constants(settings: config.Config, space: spaces.Space) -> list[str]:
    """Lists the fields whose ranges have a program for each of their values.

    Args:
        settings: the configuration.
        space: the search space.
    """
    return [
        path
        for path, values in space.items()
        if isinstance(values, spaces.Range)
        and values.size() > _KEPT
        and path not in split(spaces.apply(settings, {path: values.high}))[1]
    ]


class Experiment(training.Experiment):
    """Functions of the programs' part of a configuration; see `split`.

    ``init`` and ``step`` take and return a `State`.
    """

    _numbers: dict[str, jax.Array]

    def _begin(self, variables: models.Variables) -> Any:
        """State before the first step, with numbers of 1."""
        state = super()._begin(variables)
        _, numbers = split(self.config)
        return State(*state, numbers={path: jnp.float32(1) for path in numbers})

    def take_step(self, state: Any, batch: data.ViewBatch) -> Any:
        """Takes one step with the numbers of the state."""
        bound = copy.copy(self)
        bound._numbers = state.numbers
        rate = optimization.learning_rate(self.config)
        bound._learning_rate = lambda step: state.numbers[RATE] * rate(step)
        bound._optimizer = optimization.Optimizer(
            self.config, self.devices, bound._learning_rate
        )
        plain = training.TrainState(*state[:3])
        after, metrics = super(Experiment, bound).take_step(plain, batch)
        return State(*after, numbers=state.numbers), metrics

    def sigma(self, step: jax.Array | int) -> jax.Array:
        """Sharpness of the rasterizer at a step, NDC squared."""
        return super().sigma(step) * self._numbers.get(SIGMA, 1)

    def total(self, terms: objective.Losses) -> jax.Array:
        """Total loss ``[B]``, weighted by the numbers."""
        weighted = {
            name: self._numbers[path] * getattr(terms, name)
            for path in WEIGHTS
            if path in self._numbers and (name := path.removeprefix("loss."))
        }
        return super().total(terms._replace(**weighted))


@dataclasses.dataclass
class Program:
    """Programs of a configuration.

    Attributes:
        experiment: functions of the configuration.
        validator: scores networks on the validation split.
        resident: takes the steps, where the images are on the devices.
    """

    experiment: Experiment
    validator: validation.Validator
    resident: feeding.ResidentFeed | None = None


class Programs:
    """Programs of several configurations on one data set.

    The data set is opened once, and its images are copied to the devices once.
    """

    def __init__(self, settings: config.Config):
        """Opens the training and the validation split, and checks them.

        Args:
            settings: configuration that the others differ from in searched fields.

        Raises:
            ConfigError, ValueError, OSError: a split cannot be trained or validated on,
                or the configuration does not suit the devices.
        """
        self._source = data.open_training_set(settings.data)
        training.check_image_size(settings, self._source)
        agreement.check_agreement(self._source)
        self._split = data.open_split(settings.data, "val")
        training.check_image_size(settings, self._split)
        self._log = settings.log
        self._kept: collections.OrderedDict[Any, Program] = collections.OrderedDict()
        self._validators: collections.OrderedDict[Any, validation.Validator] = (
            collections.OrderedDict()
        )
        self._resident: feeding.ResidentFeed | None = None
        self.find(settings)  # compiles nothing

    def find(self, settings: config.Config) -> Program:
        """Finds the programs of a configuration, or makes them.

        Raises:
            ValueError: the configuration does not suit the devices.
        """
        common, _ = split(settings)
        program = self._kept.pop(common, None) or self._make(common)
        self._kept[common] = program
        if len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return program

    def make_feed(self, program: Program) -> feeding.Feed:
        """Makes a feed that begins with the first batch; it is not prepared."""
        if program.resident is not None:
            return program.resident
        if self._resident is not None:
            feed = self._resident.share(program.experiment)
        else:
            feed = feeding.make_feed(program.experiment, self._source, 0)
        if isinstance(feed, feeding.ResidentFeed):
            program.resident = self._resident = feed
        return feed

    def begin(self, program: Program, settings: config.Config) -> State:
        """Makes the state before the first step, by seed or from another run.

        Args:
            program: programs of the configuration.
            settings: the configuration.

        Raises:
            RunError: the other run cannot be read, or does not fit.
        """
        state: Any = program.experiment.init(settings.seed)
        if settings.init_from:
            variables, _ = runs.load_initial(settings)
            placed = jax.device_put(variables, program.experiment.placement.variables)
            state = program.experiment.begin(placed)
        _, numbers = split(settings)
        values = {path: jnp.float32(value) for path, value in numbers.items()}
        placed = jax.device_put(values, program.experiment.replicated)
        return state._replace(numbers=placed)

    def forget(self) -> None:
        """Frees the memory of all programs, and of the images on the devices."""
        self._kept.clear()
        self._validators.clear()
        self._resident = None

    def _make(self, common: config.Config) -> Program:
        coloring.check_light(common)
        devices = accelerators.device_mesh(
            common.optim.batch_size, model=common.devices.model
        )
        experiment = Experiment(common, devices)
        division.check(experiment.placement, common.devices.model)
        return Program(experiment, self._find_validator(experiment))

    def _find_validator(self, experiment: Experiment) -> validation.Validator:
        """A validator for a network: programs of one network share it."""
        key = experiment.config.model, experiment.config.render, experiment.devices
        validator = self._validators.pop(key, None) or validation.Validator(
            experiment,
            self._split,
            self._log.validate_objects,
            self._log.validate_views,
        )
        self._validators[key] = validator
        if len(self._validators) > _KEPT:
            self._validators.popitem(last=False)
        return validator
