"""Networks of the original Soft Rasterizer, from its PyTorch checkpoints.

The state dict of its class ``Model``, by the architecture that
`jaxsoftras.models.BaselineEncoder` and `jaxsoftras.models.Decoder` follow:

| original | here |
|---|---|
| ``encoder.conv{k}``, ``encoder.bn{k}`` | stages of the encoder |
| ``encoder.fc{k}`` | head of the encoder |
| ``decoder.fc{k}`` | body of the decoder |
| ``decoder.fc_centroid``, ``decoder.fc_bias`` | heads of the decoder |
| ``decoder.vertices_base`` | template, which orders the outputs of ``fc_bias`` |

PyTorch stores convolutions as (out, in, height, width) and linear layers as (out, in),
and flattens features in the order channel, height, width.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
from scipy import spatial

from jaxsoftras import config, mesh, models
from jaxsoftras.model_files import torch_files
from jaxsoftras.model_files.contents import ModelFileError
from jaxsoftras.model_files.pickles import Tensor

_WRAPPERS = ("model", "state_dict")
_UNUSED = re.compile(
    r"(laplacian_loss|flatten_loss|renderer)\..*|decoder\.(faces|vertices_base)"
    r"|.*\.num_batches_tracked"
)
_SAME_PLACE = 1e-3  # of two vertices of unit spheres; neighbours are 0.12 apart


def load_softras(path: str | Path, *, step: int = 0) -> models.Trained:
    """Loads a checkpoint of the original Soft Rasterizer, without running its code.

    The configuration is the paper's, with the sizes of the checkpoint. The colours of
    the network's input are inverted, as in the original's training data.

    Args:
        path: a file of ``torch.save``, such as ``checkpoint_0200000.pth.tar``.
        step: number of training steps, which the file does not state.

    Raises:
        FileNotFoundError: there is no such file.
        ModelFileError: not such a checkpoint, damaged, or of another architecture.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no checkpoint {path}.")
    try:
        content, read_tensor = torch_files.read(path)
        state = _find_state(content)
        values = _Values(
            {
                name: value
                for name, value in state.items()
                if not _UNUSED.fullmatch(name)
            },
            read_tensor,
        )
        arrays, sizes = _convert(values)
        _reorder(arrays, sizes, state, read_tensor)
    except ValueError as error:
        raise ModelFileError(f"{path} {error}.") from error
    network = models.Network(sizes)
    shapes = models.flatten(network.shapes)
    wrong = [name for name in shapes if arrays[name].shape != shapes[name].shape]
    if wrong:
        raise ModelFileError(
            f"{path} has layers that do not fit together: {wrong[0]} would have the "
            f"shape {list(arrays[wrong[0]].shape)}, not {list(shapes[wrong[0]].shape)}."
        )
    variables = models.unflatten(network.shapes, jax.device_put(arrays))
    settings = config.Config(model=sizes)
    return models.Trained(settings, network, variables, step, inverted=True)


def _find_state(content: Any) -> dict[str, Tensor]:
    """Finds the state dict in what was saved, and drops the prefix of wrappers."""
    for name in _WRAPPERS:
        if isinstance(content, dict) and isinstance(content.get(name), dict):
            content = content[name]
    if not isinstance(content, dict) or not content:
        raise ValueError("holds no state dict")
    if not all(isinstance(value, Tensor) for value in content.values()):
        raise ValueError("holds something else than the tensors of a state dict")
    return {str(name).removeprefix("module."): v for name, v in content.items()}


class _Values:
    """Tensors by name, each of which is to be read once."""

    def __init__(
        self, state: Mapping[str, Tensor], read_tensor: Callable[[Tensor], np.ndarray]
    ):
        self._state = dict(state)
        self._read_tensor = read_tensor

    def count(self, stem: str) -> int:
        """Counts the layers ``stem1``, ``stem2``, ..."""
        number = 0
        while f"{stem}{number + 1}.weight" in self._state:
            number += 1
        return number

    def take(self, name: str, axes: int) -> np.ndarray:
        """Reads a tensor of floating-point numbers in single precision."""
        tensor = self._state.pop(name, None)
        if tensor is None:
            raise ValueError(
                f"has no {name}: it is of another network than Soft Rasterizer's"
            )
        array = self._read_tensor(tensor)
        if array.dtype.kind != "f" or array.ndim != axes or not array.size:
            raise ValueError(
                f"has {ascii(name)} as {array.dtype} {list(array.shape)}, and "
                f"Soft Rasterizer floating-point numbers along {axes} axes"
            )
        if not np.all(np.isfinite(array)):
            raise ValueError(f"has numbers in {ascii(name)} that are not finite")
        return array.astype(np.float32)

    def left(self) -> list[str]:
        """Names of the tensors that nobody took."""
        return sorted(self._state)


def _convert(values: _Values) -> tuple[dict[str, np.ndarray], config.Model]:
    """Converts layers to arrays by our names, and finds the sizes of the network."""
    arrays: dict[str, np.ndarray] = {}
    stages, head = values.count("encoder.conv"), values.count("encoder.fc")
    body = values.count("decoder.fc")
    if not (stages and head and body):
        raise ValueError(
            "has no encoder.conv1, encoder.fc1 and decoder.fc1: it is of another "
            "network than Soft Rasterizer's"
        )
    for k in range(stages):
        _convert_stage(values, arrays, k)
    channels = [arrays[f"{_STAGE.format(k)}.0.kernel"].shape[-1] for k in range(stages)]
    for k in range(head):
        _convert_linear(
            values, arrays, f"encoder.fc{k + 1}", f"encoder.head.layers.{k}"
        )
    for k in range(body):
        _convert_linear(
            values, arrays, f"decoder.fc{k + 1}", f"decoder.body.layers.{k}"
        )
    for name in ("centroid", "bias"):
        _convert_linear(values, arrays, f"decoder.fc_{name}", f"decoder.{name}")
    if values.left():
        raise ValueError(
            f"has {ascii(values.left()[0])}, which Soft Rasterizer's network has not"
        )
    side = _flatten_by_rows(arrays, channels[-1])

    def widths(part: str, count: int) -> list[int]:
        return [arrays[f"params.{part}.{k}.bias"].size for k in range(count)]

    *hidden, latent = widths("encoder.head.layers", head)
    try:
        sizes = config.Model(
            image_size=side * 2**stages,
            channels=tuple(channels),
            hidden=tuple(hidden),
            latent=latent,
            decoder_hidden=tuple(widths("decoder.body.layers", body)),
            template_level=_find_level(arrays["params.decoder.bias.bias"].size),
        )
    except config.ConfigError as error:
        raise ValueError(f"has unusable sizes ({str(error).rstrip('.')})") from None
    return arrays, sizes


_STAGE = "params.encoder.stages.{}.layers"


def _convert_stage(values: _Values, arrays: dict[str, np.ndarray], k: int) -> None:
    """Converts a convolution and its batch normalisation."""
    ours = _STAGE.format(k)
    kernel = values.take(f"encoder.conv{k + 1}.weight", 4)
    arrays[f"{ours}.0.kernel"] = kernel.transpose(2, 3, 1, 0)
    arrays[f"{ours}.0.bias"] = values.take(f"encoder.conv{k + 1}.bias", 1)
    statistics = ours.replace("params", "batch_stats")
    for ours_name, name in (
        (f"{ours}.1.scale", "weight"),
        (f"{ours}.1.bias", "bias"),
        (f"{statistics}.1.mean", "running_mean"),
        (f"{statistics}.1.var", "running_var"),
    ):
        arrays[ours_name] = values.take(f"encoder.bn{k + 1}.{name}", 1)


def _convert_linear(
    values: _Values, arrays: dict[str, np.ndarray], name: str, ours: str
) -> None:
    arrays[f"params.{ours}.kernel"] = values.take(f"{name}.weight", 2).T
    arrays[f"params.{ours}.bias"] = values.take(f"{name}.bias", 1)


def _flatten_by_rows(arrays: dict[str, np.ndarray], channels: int) -> int:
    """Reorders the inputs of the first linear layer to height, width, channel.

    Returns:
        Height and width of the features.
    """
    name = "params.encoder.head.layers.0.kernel"
    kernel = arrays[name]
    side = round((len(kernel) / channels) ** 0.5)
    if side * side * channels != len(kernel):
        raise ValueError(
            f"has an encoder.fc1 of {len(kernel)} inputs, which are no square of "
            f"{channels} channels"
        )
    kernel = kernel.reshape(channels, side, side, -1).transpose(1, 2, 0, 3)
    arrays[name] = kernel.reshape(side * side * channels, -1)
    return side


def _find_level(outputs: int) -> int:
    """Level of the icosphere whose vertices have so many coordinates."""
    for level in range(6):
        if 3 * (10 * 4**level + 2) == outputs:
            return level
    raise ValueError(
        f"deforms a template of {outputs / 3:g} vertices, which no icosphere has"
    )


def _reorder(
    arrays: dict[str, np.ndarray],
    sizes: config.Model,
    state: Mapping[str, Tensor],
    read_tensor: Callable[[Tensor], np.ndarray],
) -> None:
    """Reorders the outputs of the decoder from its own template's vertices to ours."""
    name = "decoder.vertices_base"
    if name not in state:
        raise ValueError(f"has no {name}, the template that orders its outputs")
    ours = np.asarray(mesh.icosphere(sizes.template_level).vertices)
    template = read_tensor(state[name]).astype(np.float64)
    if template.shape != ours.shape or not np.all(np.isfinite(template)):
        raise ValueError(
            f"has {name} of the shape {list(template.shape)}, or not finite, where its "
            f"outputs need {list(ours.shape)}"
        )
    distances, order = spatial.KDTree(template).query(ours)
    if np.max(distances) > _SAME_PLACE or len(np.unique(order)) < len(ours):
        raise ValueError(
            f"deforms another template than the icosphere of {len(ours)} vertices, as "
            "its decoder.vertices_base shows"
        )
    moving = np.count_nonzero((ours == 0) & (template[order] != 0))
    if moving:
        warnings.warn(
            f"{moving} coordinates of the checkpoint's template are nearly zero and "
            "may move; here they are zero, and stay at the centroid.",
            stacklevel=3,
        )
    for part in ("kernel", "bias"):
        values = arrays[f"params.decoder.bias.{part}"]
        rows = values.reshape(*values.shape[:-1], len(ours), 3)[..., order, :]
        arrays[f"params.decoder.bias.{part}"] = rows.reshape(values.shape)
