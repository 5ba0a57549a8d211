"""Fields of a configuration that say what the network is made of."""

from __future__ import annotations

import dataclasses
from typing import Literal

from jaxsoftras.config.ranges import COUNTABLE, require

Pooling = Literal["none", "grid2", "mean"]
"""Means over the features of an encoder; see `Model.pooling`."""

_MOST_CELLS = 32  # of a field of the flow decoder, along a side of the cube


@dataclasses.dataclass(frozen=True)
class Model:
    """Architecture of the network; the default sizes are the paper's."""

    encoder: Literal["baseline", "resnet", "attention", "large", "convnext"] = (
        "baseline"
    )
    """Image encoder; see `jaxsoftras.models.encoders`."""
    image_size: int = 64
    """Width and height of the images, pixels; the data set must have the same size."""
    channels: tuple[int, ...] = (64, 128, 256)
    """Channels of the encoder's stages, each of which halves the image."""
    pooling: Pooling = "none"
    """Means over the features of the last stage before the fully connected layers:
    ``mean`` of all, ``grid2`` of each quarter of the image."""
    hidden: tuple[int, ...] = (1024, 1024)
    """Sizes of the encoder's fully connected layers before the code."""
    latent: int = 512
    """Size of the code between encoder and decoder."""
    decoder: Literal["softras", "multilevel", "flow"] = "softras"
    """Decoder; see `jaxsoftras.models.decoder`."""
    decoder_hidden: tuple[int, ...] = (1024, 2048)
    """Sizes of the decoder's fully connected layers."""
    template_level: int = 3
    """Subdivisions of the template sphere, which has 10 * 4**level + 2 vertices."""
    coarse_level: int = 0
    """Subdivisions of the coarsest mesh of the decoder ``multilevel``. With that of the
    template, every vertex is moved by itself."""
    flow_cells: tuple[int, ...] = (2, 2, 4, 4, 4, 8)
    """Cells along each side of the model frame of the fields of the decoder ``flow``,
    which are applied in this order."""
    color: Literal["none", "palette", "direct"] = "none"
    """Colours of the reconstruction; see `jaxsoftras.models.color`. ``palette``: mixed
    from a few colours of the input's pixels; ``direct``: predicted as numbers."""
    palette_size: int = 16
    """Number of colours of ``palette``."""
    texture_size: int = 0
    """Texels along the edge of a face, which has the square of that; 0 for one colour
    per vertex."""
    symmetric: bool = False
    """Reconstruct meshes that are their own mirror image in the plane x = 0."""
    precision: Literal["default", "float32", "bfloat16"] = "default"
    """Precision of the factors of products. ``default``: that of JAX on the device,
    TensorFloat-32 (10 bits) on NVIDIA GPUs from Ampere on, bfloat16 (7 bits) on TPUs,
    and single precision on CPUs; ``float32``: single precision everywhere;
    ``bfloat16``: activations and kernels of the encoder's convolutions in bfloat16, and
    the rest as by default. Parameters, normalisations and the optimiser have single
    precision in any case, and sums but for gradients of biases by bfloat16 on CPUs."""

    def __post_init__(self):
        layers = (*self.channels, *self.hidden, self.latent, *self.decoder_hidden)
        sizes = (self.image_size, *layers)
        require(
            0 < min(sizes) and max(sizes) < COUNTABLE,
            f"All sizes of model must be from 1 to {COUNTABLE - 1}.",
        )
        require(
            bool(self.channels) and bool(self.decoder_hidden),
            "model.channels and model.decoder_hidden must not be empty.",
        )
        self._check_halving()
        require(
            0 <= self.template_level <= 5, "model.template_level must be from 0 to 5."
        )
        self._check_decoder()
        self._check_colors()

    def _check_colors(self):
        """Checks the fields of the colours."""
        require(
            1 <= self.palette_size <= 256, "model.palette_size must be from 1 to 256."
        )
        require(
            0 <= self.texture_size <= 16, "model.texture_size must be from 0 to 16."
        )
        require(
            self.color != "none" or not self.texture_size,
            "model.texture_size is for a model with colours: set model.color.",
        )

    def _check_halving(self):
        """Checks that the image can be halved by every stage, and then divided."""
        reduction = 2 ** len(self.channels)
        require(
            self.image_size % reduction == 0,
            f"Images of {self.image_size} px cannot be halved {len(self.channels)} "
            "times, once for each of model.channels; use fewer channels or a "
            f"model.image_size that is a multiple of {reduction}.",
        )
        side = self.image_size // reduction
        require(
            self.pooling != "grid2" or side % 2 == 0,
            f"model.pooling='grid2' halves the last stage, which is {side} x {side}; "
            "use 'mean', or a model.image_size that is a multiple of "
            f"{2 * reduction}.",
        )

    def _check_decoder(self):
        """Checks the fields of the single decoders."""
        for name, owner in (("coarse_level", "multilevel"), ("flow_cells", "flow")):
            default = type(self).__dataclass_fields__[name].default
            require(
                self.decoder == owner or getattr(self, name) == default,
                f"model.{name} belongs to model.decoder={owner!r}; the decoder is "
                f"{self.decoder!r}.",
            )
        require(
            self.decoder != "multilevel"
            or 0 <= self.coarse_level <= self.template_level,
            "model.coarse_level must be from 0 to model.template_level, "
            f"{self.template_level}.",
        )
        require(
            bool(self.flow_cells)
            and 2 <= min(self.flow_cells)
            and max(self.flow_cells) <= _MOST_CELLS,
            f"model.flow_cells must be numbers from 2 to {_MOST_CELLS}, at least one.",
        )
        require(
            not self.symmetric or all(cells % 2 == 0 for cells in self.flow_cells),
            "model.flow_cells must be even where model.symmetric is set: the plane "
            "x = 0 lies between two cells.",
        )
