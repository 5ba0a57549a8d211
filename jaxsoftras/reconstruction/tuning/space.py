"""Search spaces: fields of a configuration with ranges or choices, as readable text.

optim.learning_rate=1e-4..1e-3:log     a range, drawn evenly in its logarithm
optim.beta1=0.8..0.99                  a range
model.palette_size=4..32:step=4        whole numbers
model.hidden=(1024,1024)|(512,512)     choices
augment.mirror=true|false
"""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from jaxsoftras import config

Value = float | int | str
"""Value of a field in a trial; that of a choice is its text."""
Point = Mapping[str, Value]
"""Values by the path of their field."""

_FIXED = {
    "data.": "trials are compared on one data set",
    "log.": "trials are compared at the same steps, on the same objects",
    "devices.": "it changes no result",
    "optim.steps": "trials are compared at the same steps",
    "model.image_size": "it is that of the data set",
    "render.implementation": "it changes no result",
    "init_from": "it is no property of a network",
    "seed": "the best seed of a few says nothing about other runs",
}
_SEARCHABLE = {"data.views_per_object"}  # in spite of the above


class Range(NamedTuple):
    """Numbers of a field.

    Attributes:
        low: the smallest.
        high: the largest.
        log: whether they are drawn evenly in their logarithm.
        step: distance of the numbers; None for any, which are whole for int fields.
        whole: whether they are whole numbers.
    """

    low: float
    high: float
    log: bool
    step: float | None
    whole: bool

    def size(self) -> float:
        """Number of values, which is infinite for real numbers."""
        if self.whole or self.step:
            return int((self.high - self.low) / (self.step or 1) + 1e-9) + 1
        return math.inf


class Choice(NamedTuple):
    """Values of a field, as texts that `config.override` reads."""

    values: tuple[str, ...]

    def size(self) -> float:
        """Number of values."""
        return len(self.values)


Space = Mapping[str, Range | Choice]
"""Ranges and choices by the path of their field."""


def read(texts: Sequence[str], settings: config.Config) -> dict[str, Range | Choice]:
    """Reads a search space.

    Args:
        texts: one field each; see the module.
        settings: the configuration that the fields are changed in. Every choice, and
            both ends of a range, must be values of their field in it.

    Raises:
        ConfigError: the first text that is wrong, and why.
    """
    space: dict[str, Range | Choice] = {}
    for text in texts:
        path, equals, values = (part.strip() for part in text.partition("="))
        if not (equals and path and values):
            raise config.ConfigError(
                f"--search takes FIELD=LOW..HIGH or FIELD=A|B, not {text!r}."
            )
        if path in space:
            raise config.ConfigError(f"--search names {path} twice: leave one out.")
        annotation = config.find_type(path)
        _refuse_fixed(path)
        if "|" in values:
            space[path] = _read_choice(path, values, annotation, settings)
        elif ".." in values:
            space[path] = _read_range(path, values, annotation, settings)
        else:
            raise config.ConfigError(
                f"--search {text}: a single value is not searched; write LOW..HIGH or "
                f"A|B, or --set {path}={values}."
            )
    _check_start(space, settings)
    return space


def split_texts(texts: Iterable[str]) -> dict[str, str]:
    """Splits texts into the ranges and choices by field, without blanks."""
    parts = ("".join(text.split()).partition("=") for text in texts)
    return {path: values for path, _, values in parts}


def choose_default(settings: config.Config) -> list[str]:
    """Texts of the space that is searched where none is given.

    Args:
        settings: the configuration, around whose values the ranges lie.
    """
    factors = {"optim.learning_rate": 4}
    if settings.render.final_sigma is None:
        factors["render.sigma"] = 4
    factors |= {"loss.laplacian": 5, "loss.flatten": 5}
    fields = config.flat(settings)
    texts = [
        f"{path}={fields[path] / factor:.3g}..{fields[path] * factor:.3g}:log"
        for path, factor in factors.items()
        if fields[path]
    ]
    hidden = settings.model.hidden
    half = tuple(max(1, size // 2) for size in hidden)
    if half != hidden and not settings.init_from:
        texts.append(f"model.hidden={_join(hidden)}|{_join(half)}")
    if settings.render.shading == "none":
        texts.append("augment.mirror=false|true")
    return texts


def apply(settings: config.Config, point: Point) -> config.Config:
    """Sets the fields of a point.

    Raises:
        ConfigError: the values do not go together.
    """
    return config.override(
        settings, [f"{path}={value}" for path, value in point.items()]
    )


def shorten(settings: config.Config, steps: int) -> config.Config:
    """Shortens a run, and its schedules in proportion.

    A learning rate or sigma that changes after half of the run does so after half of
    the shorter run.

    Args:
        settings: configuration of the whole run.
        steps: number of steps of the shorter run.

    Raises:
        ConfigError: it is not shorter.
    """
    optim, render = settings.optim, settings.render
    if steps == optim.steps:
        return settings
    if not 0 < steps < optim.steps:
        raise config.ConfigError(
            f"--steps must be from 1 to optim.steps, {optim.steps}, not {steps}."
        )
    ratio = steps / optim.steps
    return dataclasses.replace(
        settings,
        # rounded apart, for the warm-up ends before the decay
        optim=dataclasses.replace(
            optim,
            steps=steps,
            warmup_steps=math.floor(optim.warmup_steps * ratio),
            decay_step=math.ceil(optim.decay_step * ratio),
        ),
        render=dataclasses.replace(
            render, anneal_steps=math.ceil(render.anneal_steps * ratio)
        ),
    )


def count(space: Space) -> float:
    """Number of points, which may be infinite."""
    return math.prod(each.size() for each in space.values())


def _refuse_fixed(path: str) -> None:
    for prefix, reason in _FIXED.items():
        if path.startswith(prefix) and path not in _SEARCHABLE:
            raise config.ConfigError(f"{path} is not searched: {reason}.")


def _read_choice(
    path: str, text: str, annotation: Any, settings: config.Config
) -> Choice:
    values, seen = [], []
    for word in (word.strip() for word in text.split("|")):
        if annotation is bool and word.lower() in ("true", "false"):
            word = word.capitalize()
        if not word:
            raise config.ConfigError(f"--search {path}={text}: a choice is empty.")
        value = _try(path, word, settings)
        if value in seen:
            raise config.ConfigError(f"--search {path}={text}: {word} is there twice.")
        values.append(word)
        seen.append(value)
    return Choice(tuple(values))


def _read_range(
    path: str, text: str, annotation: Any, settings: config.Config
) -> Range:
    ends, *options = text.split(":")
    low, _, high = (part.strip() for part in ends.partition(".."))
    kinds = {annotation}
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        kinds |= set(typing.get_args(annotation))
    if not kinds & {int, float}:
        raise config.ConfigError(
            f"--search {path}={text}: the field has no numbers; write choices, A|B."
        )
    whole = float not in kinds
    least, most = (_read_number(path, text, word, whole) for word in (low, high))
    log, step = False, None
    for option in (option.strip() for option in options):
        name, _, size = option.partition("=")
        if option == "log":
            log = True
        elif name == "step" and size:
            step = _read_number(path, text, size, whole)
        else:
            raise config.ConfigError(
                f"--search {path}={text}: :log and :step=NUMBER are known, not "
                f":{option}."
            )
    found = Range(least, most, log, step, whole)
    _check_range(path, text, found)
    for number in (least, most):
        _try(path, repr(number), settings)
    return found


def _read_number(path: str, text: str, word: str, whole: bool) -> float:
    try:
        number = int(word) if whole else float(word)
    except ValueError:
        kind = "a whole number" if whole else "a number"
        raise config.ConfigError(
            f"--search {path}={text}: {word!r} is not {kind}."
        ) from None
    if not math.isfinite(number):
        raise config.ConfigError(f"--search {path}={text}: {word} is not finite.")
    return number


def _check_range(path: str, text: str, found: Range) -> None:
    problem = ""
    if found.low >= found.high:
        problem = "the first number must be the smaller one"
    elif found.log and found.low <= 0:
        problem = "numbers of a logarithmic range must be positive"
    elif found.log and found.step:
        problem = "a logarithmic range has no steps"
    elif found.step is not None and not 0 < found.step <= found.high - found.low:
        problem = "a step must be positive, and fit into the range"
    elif found.step and not _is_multiple(found.high - found.low, found.step):
        problem = "the numbers must lie a multiple of the step apart"
    if problem:
        raise config.ConfigError(f"--search {path}={text}: {problem}.")


def _is_multiple(length: float, step: float) -> bool:
    return math.isclose(round(length / step) * step, length, rel_tol=1e-9)


def _try(path: str, value: str, settings: config.Config) -> Any:
    """Sets one field alone; returns its value."""
    try:
        return config.flat(config.override(settings, [f"{path}={value}"]))[path]
    except config.ConfigError as error:
        raise config.ConfigError(f"--search {path}, {value}: {error}") from None


def _check_start(space: Space, settings: config.Config) -> None:
    """Checks that all points fit the network that trials begin with, if any."""
    changed = [path for path in space if path.startswith("model.")]
    if settings.init_from and set(changed) - {"model.precision"}:
        raise config.ConfigError(
            f"{changed[0]} is not searched: all trials begin with the network of "
            f"init_from={settings.init_from}."
        )


def _join(sizes: tuple[int, ...]) -> str:
    return "(" + ",".join(map(str, sizes)) + ")"
