"""TFDS, or an error that says how to install it."""

from __future__ import annotations

from typing import Any

from jaxsoftras import extras

extras.require(
    "read and write prepared data sets, which npz files do without",
    "tensorflow_datasets",
    "array_record",
)
import tensorflow_datasets as tfds
from tensorflow_datasets.proto import tf_example_pb2

_messages: Any = tf_example_pb2  # made on import, where no type checker sees them
Proto = _messages.Example
"""Message of the example of an object."""

__all__ = ["Proto", "tfds"]
