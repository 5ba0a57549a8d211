"""Checkpoints that are damaged or malicious: one sentence, and nothing is run."""

import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest

from jaxsoftras import model_files
from jaxsoftras.model_files import pickles, torch_files
from tests.support import torch_checkpoints

STATE = {"a": np.arange(6, dtype="f4").reshape(2, 3), "b": np.arange(4)}
STORAGE = (
    b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000"
    b"X\x03\x00\x00\x00cpuK\x06tQ"
)


class Payload:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder: Path):
        self.folder = folder

    def __reduce__(self):
        return Path.mkdir, (self.folder,)


def write_pickle(path: Path, data: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x/data.pkl", data)
        archive.writestr("x/data/0", np.arange(6, dtype="f4").tobytes())
    return path


def refusal(path: Path) -> str:
    with pytest.raises(model_files.ModelFileError) as caught:
        model_files.load_softras(path)
    text = str(caught.value)
    assert text.startswith(str(path)) and text.endswith(".") and "\n" not in text
    return text


@pytest.mark.parametrize("protocol", range(6))
def test_plain_values_of_every_protocol(protocol, tmp_path):
    value = {
        "a": [1, -1, 300, 2**40, True, False, None, 0.5, "text", b"bytes", ()],
        "b": (1, (2, 3), {"c": [[]]}),
    }
    # protocols 0 to 2 write bytes as a call
    value["a"].pop(9) if protocol < 3 else None
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps(value, protocol))
    with path.open("rb") as file:
        assert pickles.read(file) == value


@pytest.mark.parametrize(
    "write", [torch_checkpoints.write_zip, torch_checkpoints.write_legacy]
)
def test_reads_tensors(write, tmp_path):
    write(tmp_path / "a.pth", torch_checkpoints.to_tensors(STATE))
    content, read_tensor = torch_files.read(tmp_path / "a.pth")
    for name, array in STATE.items():
        found = read_tensor(content[name])
        assert found.dtype == array.dtype
        np.testing.assert_array_equal(found, array)


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_code_is_not_run(protocol, tmp_path):
    folder = tmp_path / "executed"
    data = pickle.dumps({"model": Payload(folder)}, protocol)
    text = refusal(write_pickle(tmp_path / "a.pth", data))
    assert "refers to" in text and "not read" in text
    pickled = [pickle.dumps(each, 2) for each in (torch_checkpoints.MAGIC, 1001)]
    legacy = tmp_path / "b.pth"
    legacy.write_bytes(b"".join([*pickled, data]))
    assert "refers to" in refusal(legacy)
    assert not folder.exists()


def tensor(offset=0, shape=b"K\x02K\x03\x86", strides=b"K\x03K\x01\x86") -> bytes:
    call = b"ctorch._utils\n_rebuild_tensor_v2\n("
    return call + STORAGE + b"K" + bytes([offset]) + shape + strides + b"tR"


HOSTILE = {
    "os.system": (b"cos\nsystem\n(X\x01\x00\x00\x00xtR.", "refers to os.system"),
    "a name of torch": (b"ctorch\nload\n.", "refers to torch.load"),
    "another name of utils": (b"ctorch._utils\nos\n.", "refers to torch._utils.os"),
    "by the stack": (b"\x80\x04\x8c\x02os\x8c\x06system\x93.", "refers to os.system"),
    "an instance": (b"(cos\nsystem\no.", "os.system"),
    "INST": (b"(ios\nsystem\n.", "opcode INST"),
    "an extension": (b"\x82\x01.", "opcode EXT1"),
    "a call of a storage": (b"ctorch\nFloatStorage\n)R.", "do not fit"),
    "a call of a number": (b"K\x01)R.", "do not fit"),
    "attributes of a name": (b"ccollections\nOrderedDict\n}b.", "do not fit"),
    "an empty stack": (b".", "do not fit"),
    "a mark too few": (b"K\x01t.", "do not fit"),
    "a mark as a value": (b"(.", "do not fit"),
    "an unknown memo": (b"h\x05.", "do not fit"),
    "a memo of nothing": (b"q\x05.", "do not fit"),
    "an odd dict": (b"}(K\x01u.", "do not fit"),
    "a dict that is none": (b"]K\x01K\x02s.", "do not fit"),
    "nested tuples as a key": (b"})" + b"\x85" * 50_000 + b"K\x01s.", "do not fit"),
    "no end": (b"K\x01", "breaks off"),
    "an unknown opcode": (b"\xff", "breaks off"),
    "a long text": (b"X\xff\xff\xff\x7fabc", "breaks off"),
    "a number of many digits": (b"I" + b"9" * 5000 + b"\n.", "breaks off"),
    "text that is no UTF-8": (b"X\x01\x00\x00\x00\xff.", "breaks off"),
    "a tensor beyond its storage": (b"}X\x01\x00\x00\x00a%ss.", "has no encoder"),
    "a list that holds itself": (b"]q\x00h\x00a.", "holds no state dict"),
}


def test_too_many_opcodes(tmp_path, monkeypatch):
    monkeypatch.setattr(pickles, "_MOST_OPCODES", 100)
    data = b"K\x01" + b"0K\x01" * 60 + b"."
    assert "more than 100 opcodes" in refusal(write_pickle(tmp_path / "a.pth", data))


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_pickles(name, tmp_path):
    data, message = HOSTILE[name]
    assert message in refusal(
        write_pickle(tmp_path / "a.pth", data.replace(b"%s", tensor()))
    )


@pytest.mark.parametrize(
    "wrong",
    [
        tensor(offset=1),
        tensor(strides=b"K\x04K\x01\x86"),
        tensor(shape=b"K\x02K\x04\x86", strides=b"K\x00K\x00\x86"),
        tensor(shape=b"J\xff\xff\xff\x7fJ\xff\xff\xff\x7f\x86"),
    ],
)
def test_tensors_stay_within_their_storage(wrong, tmp_path):
    path = write_pickle(tmp_path / "a.pth", wrong + b".")
    content, read_tensor = torch_files.read(path)
    with pytest.raises(ValueError, match="beyond its storage"):
        read_tensor(content)


def test_tensors_of_negative_strides_are_none(tmp_path):
    path = write_pickle(
        tmp_path / "a.pth", tensor(strides=b"K\x03J\xff\xff\xff\xff\x86") + b"."
    )
    assert "do not fit" in refusal(path)


class TestLegacy:
    @pytest.fixture
    def path(self, tmp_path):
        path = tmp_path / "a.pth"
        torch_checkpoints.write_legacy(path, torch_checkpoints.to_tensors(STATE))
        return path

    def test_every_cut_is_refused(self, path):
        data = path.read_bytes()
        for end in range(0, len(data), 7):
            path.write_bytes(data[:end])
            refusal(path)

    def test_a_changed_size_is_refused(self, path):
        data = bytearray(path.read_bytes())
        data[-(6 * 4 + 8)] += 1  # the size of the last storage
        path.write_bytes(data)
        assert "another size" in refusal(path)

    def test_big_endian(self, path):
        data = path.read_bytes()
        place = data.index(b"\x88", data.index(b"little_endian"))  # the opcode NEWTRUE
        path.write_bytes(data[:place] + b"\x89" + data[place + 1 :])
        assert "big-endian" in refusal(path)


class TestZip:
    @pytest.fixture
    def path(self, tmp_path):
        path = tmp_path / "a.pth"
        torch_checkpoints.write_zip(path, torch_checkpoints.to_tensors(STATE))
        return path

    def test_other_archives(self, tmp_path):
        path = tmp_path / "a.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("readme.txt", "text")
        assert "torch.save did not write" in refusal(path)

    @pytest.mark.parametrize("size", [0, 20, 28])
    def test_storages_of_another_size(self, size, tmp_path):
        path = tmp_path / "a.pth"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("x/data.pkl", tensor() + b".")
            archive.writestr("x/data/0", bytes(size))
        content, read_tensor = torch_files.read(path)
        with pytest.raises(ValueError, match="another size"):
            read_tensor(content)

    def test_compressed_and_missing_storages(self, tmp_path):
        path = tmp_path / "a.pth"
        for name, message in (("x/data/0", "compressed"), ("x/data/1", "lacks")):
            with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.writestr("x/data.pkl", tensor() + b".")
                archive.writestr(name, bytes(24))
            content, read_tensor = torch_files.read(path)
            with pytest.raises(ValueError, match=message):
                read_tensor(content)

    def test_damaged_bytes(self, path):
        data = path.read_bytes()
        place = data.index(STATE["a"].tobytes())
        path.write_bytes(data[:place] + b"\xff" + data[place + 1 :])
        content, read_tensor = torch_files.read(path)
        with pytest.raises(ValueError, match="damaged"):
            read_tensor(content["a"])

    @pytest.mark.parametrize("content", [b"", b"text", bytes(100), b"PK\x03\x04"])
    def test_other_files(self, content, tmp_path):
        path = tmp_path / "a.pth"
        path.write_bytes(content)
        assert "torch.save" in refusal(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="no checkpoint"):
        model_files.load_softras(tmp_path / "none.pth")
