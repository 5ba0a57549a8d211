"""The fields of a configuration: frozen dataclasses with checked ranges.

`Config` and its parts state every field, its default and its range.
"""

from __future__ import annotations

import dataclasses
from typing import Literal


class ConfigError(ValueError):
    """An unusable configuration; the message says why and what to do."""


_COUNTABLE = 2**31  # numbers of steps, and seeds, are int32 on the devices
_MOST_OBJECTS = 2**20  # in a batch, and in a category of the embedded data set


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ConfigError(message)


Feeding = Literal["auto", "device", "devices", "host"]
"""Places for the training images; see `Data.feeding`."""
Storage = Literal["npz", "prepared", "embedded"]
"""Kinds of data sets; see `Data.source`."""


@dataclasses.dataclass(frozen=True)
class Source:
    """One of several data sets that a network is trained on."""

    root: str
    """Folder of the data set."""
    source: Storage = "npz"
    """See `Data.source`."""
    weight: float = 1.0
    """Share of the objects drawn from here, relative to the other sources that have
    the category."""
    categories: tuple[str, ...] = ()
    """Categories to use, by key or name; empty for those of `Data.categories`."""
    embedded_objects: int = 24
    """See `Data.embedded_objects`."""

    def __post_init__(self):
        _require(self.weight > 0, "The weight of a source must be positive.")
        _require(
            3 <= self.embedded_objects <= _MOST_OBJECTS,
            f"embedded_objects of a source must be from 3 to {_MOST_OBJECTS}.",
        )


@dataclasses.dataclass(frozen=True)
class Data:
    """The data set, and the cameras that its images were taken with."""

    source: Storage = "npz"
    """``npz``: a folder of SoftRas files; ``prepared``: made by ``python -m
    jaxsoftras.data prepare``; ``embedded``: procedural shapes, made when absent."""
    root: str = "data/mesh_reconstruction"
    """Folder of the data set."""
    categories: tuple[str, ...] = ()
    """Categories to use, by key (a synset in SoftRas's sets) or name; empty for all."""
    embedded_objects: int = 24
    """Objects per category of the embedded data set, all splits together."""
    sources: tuple[Source, ...] = ()
    """Several data sets to train on, in place of ``source`` and ``root``. Validation
    and test are those of the first."""
    feeding: Feeding = "auto"
    """Where the training images are kept: ``device``, all of them on each device, where
    a step draws its batch without the host; ``devices``, divided among the devices;
    ``host``, from where every batch is copied; ``auto``, the first of these that fits
    (on a CPU, the host). Batches are the same."""
    distance: float = 2.732
    """Camera distance from the origin, world units. This field and the next three are
    for data sets whose ``dataset.json`` states no cameras."""
    elevation: float = 30.0
    """Camera elevation above the horizon, degrees."""
    azimuth_step: float = -15.0
    """Change of the camera's azimuth from one view to the next, degrees."""
    half_fov: float = 15.0
    """Half of the camera's vertical field of view, degrees."""

    def __post_init__(self):
        _require(
            1e-3 <= self.distance <= 1e6, "data.distance must be from 0.001 to 1000000."
        )
        _require(-90 <= self.elevation <= 90, "data.elevation must be from -90 to 90.")
        _require(
            -360 <= self.azimuth_step <= 360,
            "data.azimuth_step must be from -360 to 360.",
        )
        _require(
            1e-3 <= self.half_fov <= 89.9, "data.half_fov must be from 0.001 to 89.9."
        )
        _require(
            3 <= self.embedded_objects <= _MOST_OBJECTS,
            f"data.embedded_objects must be from 3 to {_MOST_OBJECTS}.",
        )


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
        sizes = (self.image_size, *layers)
        _require(
            0 < min(sizes) and max(sizes) < _COUNTABLE,
            f"All sizes of model must be from 1 to {_COUNTABLE - 1}.",
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
        _require(
            0 < self.steps < _COUNTABLE,
            f"optim.steps must be from 1 to {_COUNTABLE - 1}.",
        )
        _require(
            0 < self.batch_size <= _MOST_OBJECTS,
            f"optim.batch_size must be from 1 to {_MOST_OBJECTS}.",
        )
        _require(self.learning_rate > 0, "optim.learning_rate must be positive.")
        _require(
            0 <= self.beta1 < 1 and 0 <= self.beta2 < 1,
            "optim.beta1 and optim.beta2 must lie in [0, 1).",
        )
        _require(
            0 <= self.decay_step < _COUNTABLE,
            f"optim.decay_step must be from 0 to {_COUNTABLE - 1}; with optim.steps or "
            "more, nothing decays.",
        )
        _require(self.decay_factor > 0, "optim.decay_factor must be positive.")


@dataclasses.dataclass(frozen=True)
class Augment:
    """Random changes of the training images; the paper makes none."""

    mirror: bool = False
    """Show every second object as its mirror image in the plane x = 0."""


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
    augment: Augment = Augment()
    log: Log = Log()
    seed: int = 0
    """Seed of the initial parameters, of the choice of objects and views, and of their
    changes; from 0 to 2^31 - 1."""
    init_from: str = ""
    """Run whose parameters this one begins with, ``RUN`` or ``RUN:STEP``; empty to draw
    them by the seed."""

    def __post_init__(self):
        _require(
            0 <= self.seed < _COUNTABLE, f"seed must be from 0 to {_COUNTABLE - 1}."
        )


RESUMABLE = frozenset(
    {
        "data.root",
        "data.source",
        "data.feeding",
        "data.sources.*.root",
        "data.sources.*.source",
        "optim.steps",
        "log.metrics_every",
        "log.images_every",
        "log.checkpoint_every",
        "log.keep_checkpoints",
        "render.implementation",
    }
)
"""Fields that may change when a run is resumed: no step computes anything else.

``*`` stands for the number of a source."""
