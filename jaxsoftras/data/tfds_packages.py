"""TFDS, or a message that says which package to install."""

from __future__ import annotations

import importlib.util
from typing import Any

try:
    import tensorflow_datasets as tfds
    from tensorflow_datasets.proto import tf_example_pb2
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f"Prepared data sets need {error.name}: pip install tensorflow-datasets "
        "array-record, or use the npz files as they are.",
        name=error.name,
    ) from error
if importlib.util.find_spec("array_record") is None:
    raise ModuleNotFoundError(
        "Prepared data sets need array-record: pip install array-record, or use the "
        "npz files as they are.",
        name="array_record",
    )

_messages: Any = tf_example_pb2  # made on import, where no type checker sees them
Proto = _messages.Example
"""Message of the example of an object."""

__all__ = ["Proto", "tfds"]
