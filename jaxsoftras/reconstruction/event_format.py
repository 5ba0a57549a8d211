"""The format of TensorBoard's event files.

Packages that write them take seconds to import where PyTorch is installed. Events are
protocol buffers in TFRecords: the length of each, its checksum, the event, its checksum
(https://www.tensorflow.org/tutorials/load_data/tfrecord). The numbers of their fields
are those of event.proto and summary.proto of TensorBoard.
"""

from __future__ import annotations

import io
import struct
import time

import numpy as np
from PIL import Image

_RGB = 3  # colour space of an image
_START = 1  # status of a session
_POLYNOMIAL = 0x82F63B78  # Castagnoli's, bits reversed


def encode_version() -> bytes:
    """Encodes the event that a file begins with."""
    return _encode_event(0, _field(3, b"brain.Event:2"))


def encode_start(step: int) -> bytes:
    """Encodes the start of a run, from whose step on earlier events are void."""
    return _encode_event(step, _field(7, _field(1, _START)))


def encode_scalar(step: int, name: str, value: float) -> bytes:
    """Encodes a number."""
    number = bytes([2 << 3 | 5]) + struct.pack("<f", value)
    return _encode_value(step, name, number)


def encode_image(step: int, name: str, pixels: np.ndarray) -> bytes:
    """Encodes an image ``[H, W, 3]`` uint8."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "png")
    height, width, _ = pixels.shape
    image = _field(1, height) + _field(2, width) + _field(3, _RGB)
    return _encode_value(step, name, _field(4, image + _field(4, file.getvalue())))


def make_record(event: bytes) -> bytes:
    """Puts an event into a TFRecord."""
    length = struct.pack("<Q", len(event))
    return length + _mask_checksum(length) + event + _mask_checksum(event)


def _encode_value(step: int, name: str, content: bytes) -> bytes:
    value = _field(1, name.encode()) + content
    return _encode_event(step, _field(5, _field(1, value)))


def _encode_event(step: int, content: bytes) -> bytes:
    moment = bytes([1 << 3 | 1]) + struct.pack("<d", time.time())
    return moment + _field(2, step) + content


def _field(number: int, value: int | bytes) -> bytes:
    """Encodes a field: a number that is not negative, or bytes."""
    if isinstance(value, int):
        return _encode_number(number << 3) + _encode_number(value)
    return _encode_number(number << 3 | 2) + _encode_number(len(value)) + value


def _encode_number(value: int) -> bytes:
    """Encodes a number in groups of seven bits, the lowest ones first."""
    groups = bytearray()
    while value > 0x7F:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    groups.append(value)
    return bytes(groups)


def _make_table() -> list[int]:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (_POLYNOMIAL if byte & 1 else 0)
        table.append(byte)
    return table


_TABLE = _make_table()


def _mask_checksum(data: bytes) -> bytes:
    """CRC-32C of data, rotated and shifted as TFRecords have it."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    crc ^= 0xFFFFFFFF
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)
