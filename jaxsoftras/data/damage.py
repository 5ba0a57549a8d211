"""Damaged npz files, reported in one sentence."""

from __future__ import annotations

import contextlib
import errno
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

# Errors of zipfile and numpy for damaged files; RuntimeError: an encrypted member;
# TypeError: of np.load's result for a lone npy file, which cannot be closed.
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    ValueError,
    KeyError,
    RuntimeError,
    TypeError,
)


@contextlib.contextmanager
def explain(path: Path) -> Iterator[None]:
    """Turns the many errors of a missing or damaged npz file into three.

    Args:
        path: the file that the block reads.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged, or too large.
    """
    try:
        yield
    except FileNotFoundError:
        raise FileNotFoundError(f"There is no file {path}.") from None
    except MemoryError as error:  # or its header says so
        raise ValueError(
            f"{path} needs more memory than there is ({error}): it is too large, or "
            "damaged."
        ) from error
    except (*_DAMAGE, OSError) as error:
        # zipfile takes an offset from the file and may seek to a negative one
        if isinstance(error, OSError) and error.errno != errno.EINVAL:
            raise
        # numpy would have the user unpickle the file
        reason = "not an array" if "allow_pickle" in str(error) else error
        raise ValueError(
            f"{path} is damaged or not an npz file ({reason}); fetch or make it again."
        ) from error
