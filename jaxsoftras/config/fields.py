"""The fields of a configuration: frozen dataclasses with checked ranges.

`Config` and its parts state every field, its default and its range.
"""

from __future__ import annotations

import dataclasses
from typing import Literal

from jaxsoftras.config.augmentations import Augment
from jaxsoftras.config.model import Model
from jaxsoftras.config.objective import Loss, Render
from jaxsoftras.config.ranges import COUNTABLE as _COUNTABLE
from jaxsoftras.config.ranges import require as _require

_MOST_OBJECTS = 2**20  # in a batch, and in a category of the embedded data set

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
    views_per_object: int = 2
    """Views k of each object in a batch: a mesh from each is compared with all of them,
    which takes k encodings and k^2 renders an object."""
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
        _require(
            1 <= self.views_per_object <= 24,
            "data.views_per_object must be from 1 to 24.",
        )


@dataclasses.dataclass(frozen=True)
class Optim:
    """Adam, the schedule of its learning rate, and averages of the parameters."""

    steps: int = 250_000
    """Number of training steps."""
    batch_size: int = 64
    """Objects per step, each with ``data.views_per_object`` views."""
    learning_rate: float = 1e-4
    """Learning rate at the start, or after the warm-up."""
    schedule: Literal["piecewise", "cosine"] = "piecewise"
    """Course of the learning rate. ``piecewise``: a drop at ``decay_step``, which sigma
    shares; ``cosine``: half a cosine that ends at ``decay_step``."""
    warmup_steps: int = 0
    """Steps in which the learning rate rises linearly to ``learning_rate``."""
    beta1: float = 0.9
    """Decay rate of Adam's first moment."""
    beta2: float = 0.999
    """Decay rate of Adam's second moment."""
    decay_step: int = 150_000
    """Step from which the learning rate is multiplied by ``decay_factor``."""
    decay_factor: float = 0.3
    """Factor of the learning rate from ``decay_step`` on."""
    weight_decay: float = 0.0
    """Decoupled weight decay of matrices and convolutions (AdamW)."""
    clip_norm: float = 0.0
    """Largest norm of the gradient, which is scaled to it; 0 for none."""
    ema: float = 0.0
    """Decay rate of a moving average of the parameters and batch statistics, with which
    the run is evaluated; 0 for none."""

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
        _require(
            0 <= self.warmup_steps < max(self.decay_step, 1),
            "optim.warmup_steps must be from 0 to less than optim.decay_step.",
        )
        _require(
            self.schedule == "piecewise" or self.decay_step > 0,
            "A cosine schedule needs a positive optim.decay_step.",
        )
        _require(self.weight_decay >= 0, "optim.weight_decay must not be negative.")
        _require(self.clip_norm >= 0, "optim.clip_norm must not be negative.")
        _require(0 <= self.ema < 1, "optim.ema must lie in [0, 1).")


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
    """Number of checkpoints to keep, the newest ones. The one with the best validation
    is kept besides."""
    validate_every: int = 5_000
    """Steps between validations on the split ``val``, of which the last step has one;
    0 for none. The best checkpoint is chosen among those of validated steps."""
    validate_objects: int = 50
    """Objects of each category to validate on, evenly chosen; 0 for all."""
    validate_views: int = 4
    """Views of each object to validate on, evenly chosen; 0 for all."""

    def __post_init__(self):
        for name, value in dataclasses.asdict(self).items():
            least = 0 if name.startswith("validate_") else 1
            _require(value >= least, f"log.{name} must be {least} or more.")


@dataclasses.dataclass(frozen=True)
class Devices:
    """Arrangement of the devices, of which training takes all."""

    model: int = 0
    """Number of devices among which gradients and moments of large layers are divided:
    of those with kernels of 2^22 numbers or more, in the paper's network that of 16,384
    x 1,024. With 1, every device has all of them; 0 is all devices of a process. It
    must divide the number of devices."""

    def __post_init__(self):
        _require(self.model >= 0, "devices.model must be 0 or more.")


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
    devices: Devices = Devices()
    seed: int = 0
    """Seed of the initial parameters, of the choice of objects and views, and of their
    changes; from 0 to 2^31 - 1."""
    init_from: str = ""
    """Run whose parameters this one begins with, ``RUN``, ``RUN:STEP`` or ``RUN:best``;
    empty to draw them by the seed."""

    def __post_init__(self):
        _require(
            0 <= self.seed < _COUNTABLE, f"seed must be from 0 to {_COUNTABLE - 1}."
        )
        self._check_color()

    def _check_color(self) -> None:
        colored = self.model.color != "none"
        _require(
            colored or not self.loss.color,
            "loss.color is for a model with colours: set model.color.",
        )
        _require(
            not colored or bool(self.loss.color),
            f"The colours of model.color={self.model.color} are learnt by a positive "
            "loss.color, such as 1.",
        )
        lit = self.render.shading != "none"
        _require(
            colored or not lit,
            "render.shading is for a model with colours: set model.color.",
        )
        _require(
            not lit or self.model.color != "palette",
            "A palette has colours of lit pixels, and render.shading would light them "
            "again: set model.color=direct or render.shading=none.",
        )
        _require(
            not lit or not self.augment.mirror,
            "Mirrored images are lit from the mirrored side, which render.shading does "
            "not know: set augment.mirror=False or render.shading=none.",
        )


RESUMABLE = frozenset(
    {
        "devices.model",
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
        "log.validate_every",
        "render.implementation",
    }
)
"""Fields that may change when a run is resumed: no step computes anything else.

``*`` stands for the number of a source."""
