"""Files that grow with a run, and the resumes of it."""

import json
import struct
import types
from typing import Any

import numpy as np
import pytest
from tensorboardX.proto import event_pb2
from tensorboardX.record_writer import masked_crc32c

from jaxsoftras.reconstruction import event_format, records

_pb: Any = event_pb2


def read_steps(path) -> list[int]:
    return [json.loads(line)["step"] for line in path.read_text().splitlines()]


class TestMetricsFile:
    @pytest.fixture
    def path(self, tmp_path):
        file = records.MetricsFile(tmp_path / "metrics.jsonl", 0)
        for step in (10, 20, 30):
            file.add(step, {"loss": step / 7})
        file.close()
        return tmp_path / "metrics.jsonl"

    def test_holds_a_line_a_report(self, path):
        line = json.loads(path.read_text().splitlines()[1])
        assert line["step"] == 20 and line["loss"] == 20 / 7 and line["time"] > 1e9

    @pytest.mark.parametrize("start, kept", [(0, []), (20, [10, 20]), (25, [10, 20])])
    def test_steps_that_are_taken_again_are_removed(self, path, start, kept):
        file = records.MetricsFile(path, start)
        file.add(99, {})
        file.close()
        assert read_steps(path) == [*kept, 99]

    @pytest.mark.parametrize("torn", [b'{"step": 40, "lo', b'{"step": 40}', b"\0\0"])
    def test_a_torn_line_is_removed(self, path, torn):
        with path.open("ab") as file:
            file.write(torn)
        records.MetricsFile(path, 50).close()
        assert read_steps(path) == [10, 20, 30]

    def test_numbers_that_are_not_finite_are_null(self, path):
        file = records.MetricsFile(path, 50)
        file.add(40, {"loss": np.nan, "per_category": {"a": -np.inf, "b": 0.5}})
        file.close()
        line = json.loads(path.read_bytes().splitlines()[-1])
        assert line["loss"] is None and line["per_category"] == {"a": None, "b": 0.5}

    def test_lines_of_earlier_versions_stay_to_the_byte(self, path):
        with path.open("ab") as file:
            file.write(b'{"step": 40, "loss": NaN}\n{"step": 41, "loss": null}\n')
        content = path.read_bytes()
        records.MetricsFile(path, 50).close()
        assert path.read_bytes() == content

    @pytest.mark.parametrize("step", ["null", "NaN", '"x"', "[]", "[" * 100_000])
    def test_a_line_without_a_step_is_removed(self, path, step):
        with path.open("a") as file:
            file.write(f'{{"step": {step}}}\n')
        records.MetricsFile(path, 50).close()
        assert read_steps(path) == [10, 20, 30]


def read_events(folder) -> list[Any]:
    """Reads all events, and compares their checksums with another implementation."""
    events = []
    for path in sorted(folder.iterdir()):
        data = path.read_bytes()
        while data:
            length, check = struct.unpack_from("<QI", data)
            content, data = data[12 : 12 + length], data[12 + length :]
            assert check == masked_crc32c(struct.pack("<Q", length))
            assert struct.unpack_from("<I", data)[0] == masked_crc32c(content)
            events.append(_pb.Event.FromString(content))
            data = data[4:]
    return events


def test_events_of_a_resumed_run(tmp_path):
    for start in (0, 3):
        file = records.EventFile(tmp_path / "tensorboard", start)
        file.add_scalars(start + 1, {"train/loss": 0.5})
        image = np.zeros((4, 6, 3), np.uint8)
        event = event_format.encode_image(start + 1, "train/views", image)
        file.add(event_format.make_record(event))
        file.close()
    for number in (1, 4):
        began, scalar, image = (
            event
            for event in read_events(tmp_path / "tensorboard")
            if event.step == number
        )
        # what earlier files hold of this step and later ones is no longer shown
        assert began.session_log.status == _pb.SessionLog.START
        assert scalar.summary.value[0].tag == "train/loss"
        assert scalar.summary.value[0].simple_value == 0.5
        assert image.summary.value[0].tag == "train/views"
        assert image.summary.value[0].image.width == 6


def test_a_full_disk_takes_a_part_and_then_fails():
    taken = []

    def write(data: bytes) -> int:
        if taken:
            raise OSError(28, "No space left on device")
        taken.append(data[:3])
        return 3

    file: Any = types.SimpleNamespace(write=write, name="x")
    with pytest.raises(OSError, match="No space"):
        records._write(file, b"four")
