"""Reads model files, which may be damaged or malicious."""

from __future__ import annotations

import json
import stat
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import jax
import numpy as np
import safetensors
import safetensors.numpy

from jaxsoftras import config, models
from jaxsoftras.model_files import contents
from jaxsoftras.model_files.contents import ModelFileError

_MOST_TEXT = 2**20  # bytes of a member of JSON
_MOST_LAYERS = 64  # each is traced
_MOST_NUMBERS = 2**31  # of all arrays, 8 GB in single precision
_ENCRYPTED = 1  # a bit of a member's flags
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)


def load(path: str | Path) -> models.Trained:
    """Loads a model file, without the code and the packages of training.

    Args:
        path: a file that `jaxsoftras export` or `save` wrote.

    Raises:
        FileNotFoundError: there is no such file.
        ModelFileError: it is not a model file, damaged, of another version, or its
            arrays do not fit the network that its configuration describes.

    Example:
        >>> import pathlib, tempfile
        >>> import jax, numpy as np
        >>> from jaxsoftras import config, model_files, models
        >>> sizes = config.Model(
        ...     image_size=16, channels=(4,), hidden=(), latent=4, decoder_hidden=(4,),
        ...     template_level=0,
        ... )
        >>> network = models.Network(sizes)
        >>> trained = models.Trained(
        ...     config.Config(model=sizes), network, network.init(jax.random.key(0)), 10
        ... )
        >>> folder = tempfile.TemporaryDirectory()
        >>> path = pathlib.Path(folder.name, "model.zip")
        >>> model_files.save(path, trained, license="CC0-1.0")
        >>> model = model_files.load(path)
        >>> vertices = model.network.infer(model.variables, np.zeros((1, 16, 16, 4)))
        >>> vertices.shape, model.step
        ((1, 12, 3), 10)
        >>> folder.cleanup()
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no model file {path}.")
    try:
        with zipfile.ZipFile(path) as archive:
            members = _check_members(path, archive)
            about = _read_about(path, archive, members)
            settings = _read_config(path, archive, members, about)
            network = models.Network(settings.model)
            shapes = models.flatten(network.shapes)
            arrays = _read_arrays(path, archive, members, shapes)
    except ModelFileError:  # a RuntimeError, as some damage is
        raise
    except _DAMAGE as error:
        raise ModelFileError(
            f"{path} is not a sound zip archive ({error}): fetch it again."
        ) from error
    variables = models.unflatten(network.shapes, jax.device_put(arrays))
    return models.Trained(
        settings, network, variables, about["step"], about["inverted_colors"]
    )


def _check_members(path: Path, archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """Lists the members by name; refuses archives that no program of ours wrote."""
    members: dict[str, zipfile.ZipInfo] = {}
    for member in archive.infolist():
        name = PurePosixPath(member.filename)
        link = stat.S_ISLNK(member.external_attr >> 16)
        if name.is_absolute() or ".." in name.parts or "\\" in str(name) or link:
            raise ModelFileError(f"{path} holds an unsafe path, {name}: do not use it.")
        if member.filename in members:
            raise ModelFileError(
                f"{path} holds {name} twice, and cannot say which is right: export the "
                "model again."
            )
        members[member.filename] = member
    for name in (contents.ABOUT, contents.CONFIG, contents.ARRAYS):
        if name not in members:
            raise ModelFileError(
                f"{path} is not a model file: it holds no {name}; make one with "
                "jaxsoftras export."
            )
    return members


def _read(
    path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo, most: int
) -> bytes:
    if member.file_size > most:
        raise ModelFileError(
            f"{path} declares {member.file_size:,} bytes for {member.filename}, which "
            f"has {most:,} at most: do not use it."
        )
    if member.flag_bits & _ENCRYPTED or member.compress_type not in _METHODS:
        raise ModelFileError(
            f"{path} holds {member.filename} encrypted, or not as deflate does: export "
            "the model again."
        )
    return archive.read(member)


def _read_json(
    path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo
) -> dict[str, Any]:
    data = _read(path, archive, member, _MOST_TEXT)
    try:
        values = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ModelFileError(
            f"{path} is damaged: {member.filename} is not JSON ({error})."
        ) from None
    if not isinstance(values, dict):
        raise ModelFileError(
            f"{path} is damaged: {member.filename} holds no object of JSON."
        )
    return values


def _read_about(
    path: Path, archive: zipfile.ZipFile, members: Mapping[str, zipfile.ZipInfo]
) -> dict[str, Any]:
    about = _read_json(path, archive, members[contents.ABOUT])
    if about.get("format") != contents.FORMAT:
        raise ModelFileError(
            f"{path} is not a model file: its {contents.ABOUT} states no format "
            f'"{contents.FORMAT}".'
        )
    if about.get("version") != contents.VERSION:
        raise ModelFileError(
            f"{path} has version {about.get('version')!r}, and this jaxsoftras reads "
            f"version {contents.VERSION}: install a newer one."
        )
    step, inverted = about.get("step"), about.get("inverted_colors")
    if type(step) is not int or not 0 <= step < 2**31 or type(inverted) is not bool:
        raise ModelFileError(
            f"{path} is damaged: {contents.ABOUT} needs a step, from 0 to 2147483647, "
            "and inverted_colors, true or false."
        )
    return about


def _read_config(
    path: Path,
    archive: zipfile.ZipFile,
    members: Mapping[str, zipfile.ZipInfo],
    about: Mapping[str, Any],
) -> config.Config:
    values = _read_json(path, archive, members[contents.CONFIG])
    try:
        settings = config.from_dict(config.Config, values)
    except config.ConfigError as error:
        versions = about.get("versions")
        by = versions.get("jaxsoftras") if isinstance(versions, Mapping) else None
        raise ModelFileError(
            f"{path}, written by jaxsoftras {by or 'of an unknown version'}, has an "
            f"unusable {contents.CONFIG}: {error}"
        ) from None
    layers = len(settings.model.hidden) + len(settings.model.decoder_hidden)
    if layers > _MOST_LAYERS:
        raise ModelFileError(
            f"{path} describes a network of {layers:,} layers beside its convolutions, "
            f"more than {_MOST_LAYERS}: do not use it."
        )
    return settings


def _read_arrays(
    path: Path,
    archive: zipfile.ZipFile,
    members: Mapping[str, zipfile.ZipInfo],
    like: Mapping[str, Any],
) -> dict[str, np.ndarray]:
    """Reads the arrays in single precision, and checks their names and shapes."""
    numbers = sum(array.size for array in like.values())
    if numbers > _MOST_NUMBERS:
        raise ModelFileError(
            f"{path} describes a network of {numbers:,} parameters, more than "
            f"{_MOST_NUMBERS:,}: do not use it."
        )
    most = 4 * numbers + _MOST_TEXT
    data = _read(path, archive, members[contents.ARRAYS], most)
    try:
        arrays = safetensors.numpy.load(data)
    except (safetensors.SafetensorError, KeyError, ValueError) as error:
        raise ModelFileError(
            f"{path} is damaged: {contents.ARRAYS} cannot be read ({error})."
        ) from None
    for names, word in (
        (sorted(set(like) - set(arrays)), "lacks"),
        (sorted(set(arrays) - set(like)), "has, beyond those of its network,"),
    ):
        if names:
            raise ModelFileError(
                f"{path} {word} {len(names)} of the arrays, such as {names[0]!r}: "
                "export the model again."
            )
    for name, array in arrays.items():
        if array.shape != like[name].shape or array.dtype not in (
            np.float32,
            np.float16,
        ):
            raise ModelFileError(
                f"{path} holds {name} as {array.dtype} {list(array.shape)}, and its "
                f"network needs float32 or float16 {list(like[name].shape)}: export "
                "the model again."
            )
        if not np.all(np.isfinite(array)):
            raise ModelFileError(
                f"{path} holds numbers in {name} that are not finite: its training "
                "diverged, or it is damaged."
            )
    return {name: array.astype(np.float32) for name, array in arrays.items()}
