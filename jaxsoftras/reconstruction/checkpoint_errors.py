"""Sentences about checkpoints that cannot be written, read, or used."""

from __future__ import annotations

import errno
import os
import textwrap
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxsoftras.reconstruction import checkpoint_files, orbax_format, provenance
from jaxsoftras.reconstruction.run_folder import RunError

# errors of a disk, which Orbax reports within long texts of its own
_DISK_ERRORS = {os.strerror(errno.ENOSPC): "the disk is full"} | {
    os.strerror(code): os.strerror(code)
    for code in (
        errno.EDQUOT,
        errno.EFBIG,
        errno.EIO,
        errno.EROFS,
        errno.EACCES,
        errno.EPERM,
        errno.ENAMETOOLONG,
    )
}


def check_fit(checkpoint: Path, saved: Any, like: Any) -> None:
    """Raises RunError if a saved state has other leaves, shapes or dtypes."""
    there, here = _list_leaves(saved), _list_leaves(orbax_format.describe(like))
    names = there.keys() | here.keys()
    differ = sorted(name for name in names if there.get(name) != here.get(name))
    if differ:
        name = differ[0]
        more = f", and {len(differ) - 1} more" if len(differ) > 1 else ""
        raise RunError(
            f"The checkpoint {checkpoint} is sound but of another network, "
            f"optimiser or version: {name} is {there.get(name, 'absent')} there "
            f"and {here.get(name, 'absent')} here{more}"
            f"{compare_versions(checkpoint)}."
        )


def _list_leaves(tree: Any) -> dict[str, str]:
    leaves, _ = jax.tree.flatten_with_path(tree)
    return {
        jax.tree_util.keystr(path, simple=True, separator="."): (
            f"{np.dtype(x.dtype).name}{list(x.shape)}"
        )
        for path, x in leaves
    }


def compare_versions(checkpoint: Path) -> str:
    """Names the packages that have other versions than wrote a checkpoint."""
    there, here = checkpoint_files.read_versions(checkpoint), provenance.list_versions()
    differ = [
        f"{name} {version} there, {here.get(name, 'none')} here"
        for name, version in there.items()
        if version != here.get(name)
    ]
    return f" ({'; '.join(differ)})" if differ else ""


def explain(error: BaseException) -> str:
    """Reason of a failure: the disk's, if it is in the text, or else the text."""
    text = f"{error} {error.__cause__ or error.__context__ or ''}"
    for name, reason in _DISK_ERRORS.items():
        if name.lower() in text.lower():
            return reason
    return textwrap.shorten(str(error) or type(error).__name__, 200)
