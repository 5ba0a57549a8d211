"""Configurations of runs: frozen dataclasses, checked names, types and ranges.

A configuration file is a Python file with a function ``get_config() -> Config``; single
fields are overridden by their path, ``optim.learning_rate=3e-4``.
"""

from __future__ import annotations

import ast
import dataclasses
import json
import math
import runpy
import types
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

T = TypeVar("T")


class ConfigError(ValueError):
    """A configuration cannot be used; the message says why and what to do."""


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ConfigError(message)


@dataclasses.dataclass(frozen=True)
class Data:
    """Where pictures come from, and how they were taken."""

    source: Literal["npz", "prepared", "embedded"] = "npz"
    """``npz``: a folder of SoftRas files; ``prepared``: made by ``python -m
    jaxsoftras.data prepare``; ``embedded``: procedural shapes, made when absent."""
    root: str = "data/mesh_reconstruction"
    """Folder of the data set."""
    categories: tuple[str, ...] = ()
    """Synsets to use; empty for all 13."""
    embedded_objects: int = 24
    """Objects of each category of the embedded data set, all splits together."""
    distance: float = 2.732
    """Of the camera from the origin, world units."""
    elevation: float = 30.0
    """Of the camera, degrees."""
    azimuth_step: float = -15.0
    """From one view to the next, degrees."""
    half_fov: float = 15.0
    """Half of the camera's field of view, degrees."""

    def __post_init__(self):
        _require(self.distance > 0, "data.distance must be positive.")
        _require(0 < self.half_fov < 90, "data.half_fov must lie between 0 and 90.")
        _require(self.embedded_objects >= 3, "data.embedded_objects must be 3 or more.")


@dataclasses.dataclass(frozen=True)
class Model:
    """Sizes of the encoder and the decoder; the defaults are the paper's."""

    encoder: Literal["baseline", "resnet", "attention"] = "baseline"
    """One of the study's three."""
    channels: tuple[int, ...] = (64, 128, 256)
    """Of the encoder's stages, each of which halves the image."""
    hidden: tuple[int, ...] = (1024, 1024)
    """Fully connected layers of the encoder before the code."""
    latent: int = 512
    """Size of the code."""
    decoder_hidden: tuple[int, ...] = (1024, 2048)
    """Fully connected layers of the decoder."""
    template_level: int = 3
    """Subdivisions of the sphere: 10 * 4**level + 2 vertices."""

    def __post_init__(self):
        sizes = (*self.channels, *self.hidden, self.latent, *self.decoder_hidden)
        _require(min(sizes) > 0, "All sizes of model must be positive.")
        _require(
            bool(self.channels) and bool(self.decoder_hidden),
            "model.channels and model.decoder_hidden must not be empty.",
        )
        _require(
            0 <= self.template_level <= 5, "model.template_level must be from 0 to 5."
        )


@dataclasses.dataclass(frozen=True)
class Render:
    """The soft rasterizer's settings."""

    sigma: float = 1e-4
    """Sharpness at the start, NDC squared."""
    dist_eps: float = 1e-10
    """A face's influence ends where its probability falls below this."""
    implementation: Literal["reference", "xla", "pallas", "mosaic"] | None = None
    """Of the rasterizer; None chooses."""

    def __post_init__(self):
        _require(self.sigma > 0, "render.sigma must be positive.")
        _require(0 < self.dist_eps < 0.5, "render.dist_eps must lie between 0 and 0.5.")


@dataclasses.dataclass(frozen=True)
class Loss:
    """Weights of the regularisers; the silhouette loss has weight 1."""

    laplacian: float = 5e-3
    flatten: float = 5e-4

    def __post_init__(self):
        _require(
            self.laplacian >= 0 and self.flatten >= 0,
            "Loss weights must not be negative.",
        )


@dataclasses.dataclass(frozen=True)
class Optim:
    """Adam, and the schedule that learning rate and sigma share."""

    steps: int = 250_000
    """Length of the run."""
    batch_size: int = 64
    """Objects a step; each gives two views, so two encodings and four renders."""
    learning_rate: float = 1e-4
    beta1: float = 0.9
    beta2: float = 0.999
    decay_step: int = 150_000
    """From this step on, learning rate and sigma are multiplied by decay_factor."""
    decay_factor: float = 0.3

    def __post_init__(self):
        _require(self.steps > 0, "optim.steps must be positive.")
        _require(self.batch_size > 0, "optim.batch_size must be positive.")
        _require(self.learning_rate > 0, "optim.learning_rate must be positive.")
        _require(
            0 <= self.beta1 < 1 and 0 <= self.beta2 < 1,
            "optim.beta1 and optim.beta2 must lie in [0, 1).",
        )
        _require(self.decay_step >= 0, "optim.decay_step must not be negative.")
        _require(self.decay_factor > 0, "optim.decay_factor must be positive.")


@dataclasses.dataclass(frozen=True)
class Log:
    """How often a run reports and saves, in steps."""

    metrics_every: int = 100
    images_every: int = 1_000
    checkpoint_every: int = 10_000
    keep_checkpoints: int = 3
    """Of the newest ones."""

    def __post_init__(self):
        _require(
            min(dataclasses.astuple(self)) > 0, "All fields of log must be positive."
        )


@dataclasses.dataclass(frozen=True)
class Config:
    """All there is to know of a run."""

    data: Data = Data()
    model: Model = Model()
    render: Render = Render()
    loss: Loss = Loss()
    optim: Optim = Optim()
    log: Log = Log()
    seed: int = 0
    """Of the initial parameters and of the choice of objects and views."""


RESUMABLE = frozenset(
    {
        "data.root",
        "data.source",
        "optim.steps",
        "log.metrics_every",
        "log.images_every",
        "log.checkpoint_every",
        "log.keep_checkpoints",
        "render.implementation",
    }
)
"""Fields that may differ when a run goes on: they do not change what is computed."""


def _describe(annotation: Any) -> str:
    if typing.get_origin(annotation) is Literal:
        return "one of " + ", ".join(repr(c) for c in typing.get_args(annotation))
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return " or ".join(_describe(a) for a in typing.get_args(annotation))
    if typing.get_origin(annotation) is tuple:
        return f"a tuple of {typing.get_args(annotation)[0].__name__}"
    return "None" if annotation is type(None) else annotation.__name__


def _convert(value: Any, annotation: Any) -> Any:
    """Checks a plain value against a field's type; raises TypeError."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Literal:
        if value in arguments and not isinstance(value, bool):
            return value
    elif origin in (typing.Union, types.UnionType):
        for option in arguments:
            try:
                return _convert(value, option)
            except TypeError:
                pass
    elif origin is tuple:
        if isinstance(value, (list, tuple)):
            return tuple(_convert(item, arguments[0]) for item in value)
    elif annotation is float:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            if math.isfinite(value):
                return float(value)
    elif type(value) is annotation:
        return value
    elif annotation is type(None) and value is None:
        return None
    raise TypeError


def from_dict(cls: type[T], values: Mapping[str, Any], path: str = "") -> T:
    """Makes a configuration dataclass from nested dictionaries.

    Args:
        cls: `Config` or one of its parts.
        values: field values; fields that are left out keep their defaults.
        path: where in the whole configuration these belong, for messages.

    Returns:
        An instance of ``cls``.

    Raises:
        ConfigError: an unknown field, or a value of wrong type or range.
    """
    hints = typing.get_type_hints(cls)
    fields = {}
    for name, value in values.items():
        where = f"{path}{name}"
        if name not in hints:
            raise ConfigError(
                f"There is no configuration field {where!r}; "
                f"{path.rstrip('.') or 'the configuration'} has {', '.join(hints)}."
            )
        hint = hints[name]
        if dataclasses.is_dataclass(hint):
            if not isinstance(value, Mapping):
                raise ConfigError(
                    f"{where!r} is a group of fields; set one of them, such as "
                    f"{where}.{next(iter(typing.get_type_hints(hint)))}."
                )
            fields[name] = from_dict(typing.cast(type, hint), value, f"{where}.")
            continue
        try:
            fields[name] = _convert(value, hint)
        except TypeError:
            raise ConfigError(
                f"{where} must be {_describe(hint)}, not {value!r}."
            ) from None
    return cls(**fields)


def flat(config: Config) -> dict[str, Any]:
    """All fields by their path: ``{"optim.steps": 250000, ...}``."""
    fields = {}
    for name, value in dataclasses.asdict(config).items():
        if isinstance(value, dict):
            fields.update({f"{name}.{key}": item for key, item in value.items()})
        else:
            fields[name] = value
    return fields


def override(config: Config, settings: Iterable[str]) -> Config:
    """Replaces fields by their path.

    Args:
        config: where to start.
        settings: such as ``optim.learning_rate=3e-4``; values are Python literals, and
            strings need no quotes.

    Returns:
        The changed configuration.

    Raises:
        ConfigError: not of the form path=value, an unknown field, or a wrong value.
    """
    values = dataclasses.asdict(config)
    for setting in settings:
        path, equals, text = setting.partition("=")
        if not equals:
            raise ConfigError(f"--set takes path.to.field=value, not {setting!r}.")
        try:
            value = ast.literal_eval(text)
        except (ValueError, SyntaxError):
            value = text
        *groups, name = path.strip().split(".")
        parent = values
        for group in groups:
            parent = parent.get(group)
            if not isinstance(parent, dict):
                raise ConfigError(f"There is no configuration field {path.strip()!r}.")
        parent[name] = value
    return from_dict(Config, values)


def load(path: str | Path, settings: Iterable[str] = ()) -> Config:
    """Runs a configuration file and applies overrides.

    Args:
        path: of a Python file with a function ``get_config() -> Config``.
        settings: see `override`.

    Returns:
        The configuration.

    Raises:
        ConfigError: no such file, not such a file, or wrong settings.
    """
    if not Path(path).is_file():
        raise ConfigError(f"There is no configuration file {str(path)!r}.")
    try:
        namespace = runpy.run_path(str(path))
    except ConfigError:
        raise
    except Exception as error:
        raise ConfigError(
            f"{path} is not a configuration file: running it raised "
            f"{type(error).__name__}: {error}."
        ) from error
    get_config = namespace.get("get_config")
    config = get_config() if callable(get_config) else None
    if not isinstance(config, Config):
        raise ConfigError(
            f"{path} must define get_config() and return a jaxsoftras.config.Config."
        )
    # through dictionaries, so that the types of the file's values are checked as well
    return override(config, settings)


def save(config: Config, path: Path) -> None:
    """Writes a configuration as JSON."""
    path.write_text(json.dumps(dataclasses.asdict(config), indent=2) + "\n")


def read(path: Path) -> Config:
    """Reads what `save` wrote."""
    try:
        values = json.loads(path.read_text())
    except json.JSONDecodeError as error:
        raise ConfigError(f"{path} is damaged: {error}.") from None
    return from_dict(Config, values)


def conflicts(old: Config, new: Config) -> list[str]:
    """Fields that forbid to continue the run of one configuration with another.

    Returns:
        Sentences such as ``model.latent: 512 there, 256 here``.
    """
    theirs, ours = flat(old), flat(new)
    return [
        f"{name}: {theirs[name]!r} there, {ours[name]!r} here"
        for name in theirs
        if theirs[name] != ours[name] and name not in RESUMABLE
    ]
