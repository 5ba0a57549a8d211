"""Configurations of runs: frozen dataclasses with checked names, types and ranges.

A configuration file is a Python file with a function ``get_config() -> Config``. Single
fields are overridden by their path, such as ``optim.learning_rate=3e-4``.
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

from jaxsoftras import atomic

T = TypeVar("T")


class ConfigError(ValueError):
    """An unusable configuration; the message says why and what to do."""


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ConfigError(message)


@dataclasses.dataclass(frozen=True)
class Data:
    """The data set, and the cameras its images were taken with."""

    source: Literal["npz", "prepared", "embedded"] = "npz"
    """``npz``: a folder of SoftRas files; ``prepared``: made by ``python -m
    jaxsoftras.data prepare``; ``embedded``: procedural shapes, made when absent."""
    root: str = "data/mesh_reconstruction"
    """Folder of the data set."""
    categories: tuple[str, ...] = ()
    """Categories to use, by synset or name; empty for all 13."""
    embedded_objects: int = 24
    """Objects per category of the embedded data set, all splits together."""
    distance: float = 2.732
    """Camera distance from the origin, world units."""
    elevation: float = 30.0
    """Camera elevation above the horizon, degrees."""
    azimuth_step: float = -15.0
    """Change of the camera's azimuth from one view to the next, degrees."""
    half_fov: float = 15.0
    """Half of the camera's vertical field of view, degrees."""

    def __post_init__(self):
        _require(self.distance > 0, "data.distance must be positive.")
        _require(0 < self.half_fov < 90, "data.half_fov must lie between 0 and 90.")
        _require(self.embedded_objects >= 3, "data.embedded_objects must be 3 or more.")


@dataclasses.dataclass(frozen=True)
class Model:
    """Architecture of the network; the default sizes are the paper's."""

    encoder: Literal["baseline", "resnet", "attention"] = "baseline"
    """Image encoder; see `jaxsoftras.models.encoders`."""
    image_size: int = 64
    """Width and height of the images, pixels; the data set must have the same size."""
    channels: tuple[int, ...] = (64, 128, 256)
    """Channels of the encoder's stages, each of which halves the image."""
    hidden: tuple[int, ...] = (1024, 1024)
    """Sizes of the encoder's fully connected layers before the code."""
    latent: int = 512
    """Size of the code between encoder and decoder."""
    decoder_hidden: tuple[int, ...] = (1024, 2048)
    """Sizes of the decoder's fully connected layers."""
    template_level: int = 3
    """Subdivisions of the template sphere, which has 10 * 4**level + 2 vertices."""

    def __post_init__(self):
        layers = (*self.channels, *self.hidden, self.latent, *self.decoder_hidden)
        _require(
            min(self.image_size, *layers) > 0, "All sizes of model must be positive."
        )
        _require(
            bool(self.channels) and bool(self.decoder_hidden),
            "model.channels and model.decoder_hidden must not be empty.",
        )
        reduction = 2 ** len(self.channels)
        _require(
            self.image_size % reduction == 0,
            f"Images of {self.image_size} px cannot be halved {len(self.channels)} "
            "times, once for each of model.channels; use fewer channels or a "
            f"model.image_size that is a multiple of {reduction}.",
        )
        _require(
            0 <= self.template_level <= 5, "model.template_level must be from 0 to 5."
        )


@dataclasses.dataclass(frozen=True)
class Render:
    """Settings of the soft rasterizer during training."""

    sigma: float = 1e-4
    """Initial sharpness, NDC squared."""
    dist_eps: float = 1e-10
    """Probability below which a face no longer influences a pixel."""
    implementation: Literal["reference", "xla", "pallas", "triton", "mosaic"] | None = (
        None
    )
    """Implementation of the rasterizer; None chooses the fastest on the device."""

    def __post_init__(self):
        _require(self.sigma > 0, "render.sigma must be positive.")
        _require(0 < self.dist_eps < 0.5, "render.dist_eps must lie between 0 and 0.5.")


@dataclasses.dataclass(frozen=True)
class Loss:
    """Weights of the regularisers; the silhouette loss has weight 1."""

    laplacian: float = 5e-3
    """Weight of `jaxsoftras.losses.laplacian`."""
    flatten: float = 5e-4
    """Weight of `jaxsoftras.losses.flatten`."""

    def __post_init__(self):
        _require(
            self.laplacian >= 0 and self.flatten >= 0,
            "Loss weights must not be negative.",
        )


@dataclasses.dataclass(frozen=True)
class Optim:
    """Adam, and the schedule that learning rate and sigma share."""

    steps: int = 250_000
    """Number of training steps."""
    batch_size: int = 64
    """Objects per step. Each has two views, hence two encodings and four renders."""
    learning_rate: float = 1e-4
    """Initial learning rate."""
    beta1: float = 0.9
    """Decay rate of Adam's first moment."""
    beta2: float = 0.999
    """Decay rate of Adam's second moment."""
    decay_step: int = 150_000
    """Step from which learning rate and sigma are multiplied by ``decay_factor``."""
    decay_factor: float = 0.3
    """Factor of learning rate and sigma from ``decay_step`` on."""

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
    """Intervals at which a run reports and saves."""

    metrics_every: int = 100
    """Steps between reports of the metrics."""
    images_every: int = 1_000
    """Steps between images for TensorBoard."""
    checkpoint_every: int = 10_000
    """Steps between checkpoints."""
    keep_checkpoints: int = 3
    """Number of checkpoints to keep, the newest ones."""

    def __post_init__(self):
        _require(
            min(dataclasses.astuple(self)) > 0, "All fields of log must be positive."
        )


@dataclasses.dataclass(frozen=True)
class Config:
    """Complete configuration of a run."""

    data: Data = Data()
    model: Model = Model()
    render: Render = Render()
    loss: Loss = Loss()
    optim: Optim = Optim()
    log: Log = Log()
    seed: int = 0
    """Seed of the initial parameters and of the choice of objects and views."""


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
"""Fields that may change when a run is resumed: no step computes anything else."""


def _describe(annotation: Any) -> str:
    if typing.get_origin(annotation) is Literal:
        return "one of " + ", ".join(repr(c) for c in typing.get_args(annotation))
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return " or ".join(_describe(a) for a in typing.get_args(annotation))
    if typing.get_origin(annotation) is tuple:
        return f"a tuple of {typing.get_args(annotation)[0].__name__}"
    return "None" if annotation is type(None) else annotation.__name__


def _convert(value: Any, annotation: Any) -> Any:
    """Converts a plain value to a field's type, or raises TypeError."""
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
        values: field values; missing fields keep their defaults.
        path: prefix of the field names in messages, such as ``"optim."``.

    Returns:
        An instance of ``cls``.

    Raises:
        ConfigError: an unknown field, or a value of the wrong type or out of range.
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
    """All fields by their path, ``{"optim.steps": 250000, ...}``."""
    fields = {}
    for name, value in dataclasses.asdict(config).items():
        if isinstance(value, dict):
            fields.update({f"{name}.{key}": item for key, item in value.items()})
        else:
            fields[name] = value
    return fields


def override(config: Config, settings: Iterable[str]) -> Config:
    """Replaces fields, given by their path.

    Args:
        config: the configuration to change.
        settings: assignments such as ``optim.learning_rate=3e-4``; values are Python
            literals, and strings need no quotes.

    Returns:
        The changed configuration.

    Raises:
        ConfigError: a setting not of the form ``path=value``, an unknown field, or a
            wrong value.
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
        path: a Python file with a function ``get_config() -> Config``.
        settings: see `override`.

    Returns:
        The configuration.

    Raises:
        ConfigError: a missing file, a file that defines no configuration, or wrong
            settings.
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
    # `override` goes through dictionaries, so it checks the types of the file's values
    return override(config, settings)


def save(config: Config, path: str | Path) -> None:
    """Writes a configuration as JSON, whole or not at all."""
    with atomic.file(path) as partial:
        partial.write_text(json.dumps(dataclasses.asdict(config), indent=2) + "\n")


def read(path: str | Path) -> Config:
    """Reads a configuration written by `save`.

    Raises:
        ConfigError: the file is damaged, or has unknown fields or wrong values.
    """
    try:
        values = json.loads(Path(path).read_text())
    except ValueError as error:  # not JSON, or not text
        raise ConfigError(f"{path} is damaged: {error}.") from None
    return from_dict(Config, values)


def conflicts(old: Config, new: Config) -> list[str]:
    """Changed fields whose values must not change when a run is resumed.

    Args:
        old: configuration of the existing run.
        new: configuration to resume it with.

    Returns:
        A phrase per field, such as ``model.latent: 512 there, 256 here``.
    """
    there, here = flat(old), flat(new)
    return [
        f"{name}: {there[name]!r} there, {here[name]!r} here"
        for name in there
        if there[name] != here[name] and name not in RESUMABLE
    ]
