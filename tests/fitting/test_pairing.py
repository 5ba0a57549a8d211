import json
from pathlib import Path

import numpy as np
import pytest

from jaxsoftras import terminal
from jaxsoftras.fitting import pairing

ANGLES = {"distance": 3, "elevation": 10, "azimuth": 20, "fov": 40}
FRAME = {"file_path": "train/r_0", "transform_matrix": np.eye(4).tolist()}


def pair(pictures, cameras):
    return pairing.pair([Path(picture) for picture in pictures], cameras)


class TestPair:
    @pytest.mark.parametrize(
        ("picture", "cameras", "found"),
        [
            ("masks/r_0.png", ["./train/r_0", "./train/r_1"], "./train/r_0"),
            ("masks/0001.png", ["0001.jpg", "0002.jpg"], "0001.jpg"),
            ("m/test/r_0.png", ["train/r_0", "test/r_0"], "test/r_0"),
            ("m/a.jpg.png", ["a.jpg", "b.jpg"], "a.jpg"),
            ("m/r_0_mask.png", ["r_0", "r_1"], "r_0"),
            ("m/r_0_mask.png", ["r_0", "r_0_mask.png"], "r_0_mask.png"),
            ("m/r_0.5.png", ["r_0", "r_0.5"], "r_0.5"),
            ("m/a.png", ["C:\\photos\\a.png"], "C:\\photos\\a.png"),
            ("m/é.png", ["e\u0301.png"], "e\u0301.png"),
        ],
    )
    def test_by_name(self, picture, cameras, found):
        assert pair([picture], cameras) == [found]

    def test_keeps_the_order_of_the_pictures(self):
        assert pair(["b.png", "a.png"], ["a", "b", "c"]) == ["b", "a"]

    @pytest.mark.parametrize(
        ("pictures", "cameras", "message"),
        [
            (["a.png"], ["b.png"], "no camera for a.png: .* such as b.png"),
            (list("abcde"), ["x"], "no camera for a, b, c and 2 more"),
            (["m/r.png"], ["train/r", "test/r"], "the camera train/r or test/r"),
            (["1/a.png", "2/a.png"], ["a.png"], "1/a.png and 2/a.png have the same"),
            (["a.png"], [".png/"], "no camera for a.png"),
        ],
    )
    def test_refuses(self, pictures, cameras, message):
        with pytest.raises(terminal.ProgramError, match=message):
            pair(pictures, cameras)


class TestReadCameras:
    def test_angles_of_a_file_or_its_folder(self, tmp_path):
        path = tmp_path / "cameras.json"
        path.write_text(json.dumps({"pictures": {"a.png": ANGLES}}))
        for place in (path, tmp_path):
            (parse,) = pairing.read_cameras(place).values()
            np.testing.assert_allclose(
                np.linalg.norm(parse((32, 24)).translation), 3, rtol=1e-5
            )

    def test_frames_of_nerf(self, tmp_path):
        content = {"camera_angle_x": 0.7, "frames": [FRAME]}
        (tmp_path / "transforms.json").write_text(json.dumps(content))
        found = pairing.read_cameras(tmp_path)
        assert list(found) == ["train/r_0"]
        assert found["train/r_0"]((8, 8)).intrinsics[0, 2] == 3.5

    def test_a_colmap_model(self, tmp_path):
        (tmp_path / "sparse").mkdir()
        lens, place = "1 PINHOLE 64 48 50 50 32 24\n", "1 1 0 0 0 0 0 3 1 a.png\n\n"
        (tmp_path / "sparse" / "cameras.txt").write_text(lens)
        (tmp_path / "sparse" / "images.txt").write_text(place)
        found = pairing.read_cameras(tmp_path)["a.png"]((64, 48))
        assert found.translation.tolist() == [0, 0, 3]

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("hello", "not valid JSON"),
            ("[" * 100_000, "not valid JSON"),
            ("[]", 'an object {"pictures"'),
            ('{"pictures": {}}', "names no camera"),
            ('{"pictures": {"a": {}, "./a": {}}}', "names ./a twice"),
            ('{"frames": []}', '"frames" that is not empty'),
        ],
    )
    def test_refuses_files(self, text, message, tmp_path):
        path = tmp_path / "cams.json"
        path.write_text(text)
        with pytest.raises(terminal.ProgramError, match=message) as caught:
            pairing.read_cameras(path)
        assert str(path) in str(caught.value)

    def test_names_the_file_in_a_folder(self, tmp_path):
        path = tmp_path / "transforms.json"
        path.write_text("hello")
        with pytest.raises(terminal.ProgramError) as caught:
            pairing.read_cameras(tmp_path)
        assert str(caught.value).startswith(f"{path}: not valid JSON")

    def test_refuses_what_is_not_there(self, tmp_path):
        with pytest.raises(terminal.ProgramError, match="There is no camera file"):
            pairing.read_cameras(tmp_path / "none.json")
        with pytest.raises(terminal.ProgramError, match="holds neither cameras.json"):
            pairing.read_cameras(tmp_path)
