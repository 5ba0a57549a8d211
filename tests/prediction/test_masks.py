import importlib.util
import sys
import types

import numpy as np
import pytest
from PIL import Image

from jaxsoftras.prediction import masks, pictures
from tests.support.pictures import check, colors, mask, noise, save_mask, save_opaque


class TestMasks:
    def test_file_comes_first(self, tmp_path):
        path = save_opaque(tmp_path / "a.png", noise())
        other = save_mask(tmp_path / "m.png")
        check(pictures.read_picture(path, other), "file")

    @pytest.mark.parametrize("name", ["a.png", "a.tif", "a.jpg.png"])
    def test_folder(self, name, tmp_path):
        path = tmp_path / "a.jpg"
        Image.fromarray(noise()).save(path)
        folder = tmp_path / "masks"
        folder.mkdir()
        save_mask(folder / name)
        check(pictures.read_picture(path, folder), "file")

    def test_beside_the_picture(self, tmp_path):
        path = save_opaque(tmp_path / "a.png", noise())
        save_mask(tmp_path / "a_mask.png")
        check(pictures.read_picture(path), "file")

    def test_opacity_of_a_black_mask(self, tmp_path):
        path = save_opaque(tmp_path / "a.png", noise())
        alpha = np.uint8(255) * mask()[..., None]
        black = np.concatenate([np.zeros_like(noise()), alpha], -1)
        Image.fromarray(black).save(tmp_path / "m.png")
        check(pictures.read_picture(path, tmp_path / "m.png"), "file")

    def test_low_values_are_scaled(self, tmp_path):
        path = save_opaque(tmp_path / "a.png")
        Image.fromarray(np.uint8(mask())).save(tmp_path / "m.png")  # 0 and 1
        check(pictures.read_picture(path, tmp_path / "m.png"), "file")

    def test_rounded_corners_are_no_mask(self, tmp_path):
        alpha = np.full(mask().shape, 255, np.uint8)
        alpha[:2, :2] = 0
        image = np.concatenate([colors(), alpha[..., None]], -1)
        Image.fromarray(image).save(tmp_path / "a.png")
        check(pictures.read_picture(tmp_path / "a.png"), "background")

    def test_border_is_noted(self, tmp_path):
        path = save_opaque(tmp_path / "a.png")
        covered = mask()
        covered[:, 12] = True
        picture = pictures.read_picture(path, save_mask(tmp_path / "m.png", covered))
        assert "reaches the border" in picture.notes[0]
        picture = pictures.read_picture(path, save_mask(tmp_path / "m.png", ~mask()))
        assert "it may show the background" in picture.notes[0]

    def test_rembg_is_asked_last(self, tmp_path, monkeypatch):
        module = types.ModuleType("rembg")
        module.new_session = lambda: "session"  # type: ignore[attr-defined]

        def remove(image, session, only_mask):
            assert image.size == (60, 40) and session == "session" and only_mask
            return Image.fromarray(np.uint8(255) * mask())

        module.remove = remove  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "rembg", module)
        monkeypatch.setattr(importlib.util, "find_spec", lambda _: module)
        masks._open_rembg.cache_clear()
        path = save_opaque(tmp_path / "a.png", noise())
        check(pictures.read_picture(path), "rembg")
        assert pictures.read_picture(save_opaque(tmp_path / "b.png")).mask == (
            "background"
        )

        def fail(*_, **__):
            raise OSError("no network")

        module.remove = fail  # type: ignore[attr-defined]
        masks._open_rembg.cache_clear()
        with pytest.raises(ValueError, match="rembg finds no mask .OSError: no net"):
            pictures.read_picture(path)


class TestCutOut:
    def flood(self, image: np.ndarray) -> np.ndarray:
        """Background pixels that are connected with the border, one by one."""
        height, width = image.shape[:2]
        edge = [(r, c) for r in (0, height - 1) for c in range(width)]
        edge += [(r, c) for r in range(height) for c in (0, width - 1)]
        color = np.median([image[place] for place in set(edge)], axis=0)
        reached, waiting = set(), list(edge)
        while waiting:
            r, c = waiting.pop()
            if (r, c) in reached or not (0 <= r < height and 0 <= c < width):
                continue
            if np.all(np.abs(image[r, c] - color) <= 16 / 255):
                reached.add((r, c))
                waiting += [(r - 1, c), (r + 1, c), (r, c - 1), (r, c + 1)]
        covered = np.ones((height, width), bool)
        for place in reached:
            covered[place] = False
        return covered

    def test_equals_a_flood_from_the_border(self):
        random = np.random.default_rng(3)
        image = colors() / 255 + random.uniform(-0.02, 0.02, (40, 60, 3))
        found = masks.cut_out(image.astype(np.float32))
        np.testing.assert_array_equal(found, self.flood(image))
        np.testing.assert_array_equal(found, mask())

    def test_holes_are_background_and_labels_are_not(self):
        image = np.ones((100, 100, 3), np.float32)
        image[20:80, 20:80] = 0.3
        image[40:60, 40:60] = 1  # 400 pixels of 10,000
        image[25:28, 25:28] = 1  # 9
        covered = masks.cut_out(image)
        assert covered is not None
        assert not covered[50, 50] and covered[26, 26]

    def test_dirt_is_dropped(self):
        image = np.ones((100, 100, 3), np.float32)
        image[20:80, 20:80] = 0.3
        image[5:8, 5:8] = 0  # 9 pixels beside 3,600
        image[85:95, 20:80] = 0.3  # another part of the object
        covered = masks.cut_out(image)
        assert covered is not None
        assert not covered[6, 6] and covered[90, 50] and covered.sum() == 4200

    @pytest.mark.parametrize("bow", [0.0, 0.3, -0.3])
    def test_smooth_backgrounds_are_plain(self, bow):
        """Also where the middle differs from the border by more than the tolerance."""
        x, y = np.meshgrid(np.linspace(-1, 1, 60), np.linspace(-1, 1, 40))
        background = 0.5 + 0.2 * x - 0.1 * y + bow * (x**2 + y**2 - 1)
        image = np.broadcast_to(background[..., None], (40, 60, 3)).copy()
        image[mask()] = 0, 0, 1
        found = masks.cut_out(image.clip(0, 1).astype(np.float32))
        np.testing.assert_array_equal(found, mask())

    def test_objects_may_reach_the_border(self):
        image = np.ones((100, 100, 3), np.float32)
        image[60:, 40:75] = 0  # 35 of 396 pixels
        np.testing.assert_array_equal(masks.cut_out(image), image[..., 0] == 0)
        image[60:, 25:75] = 0
        assert masks.cut_out(image) is None

    def test_noise_and_steps_are_not_plain(self):
        horizon = np.ones((40, 60, 3))
        horizon[25:] = 0.3
        for image in (horizon, horizon.swapaxes(0, 1), noise() / 255):
            assert masks.cut_out(image.astype(np.float32)) is None

    def test_the_middle_of_a_vignette_is_no_object(self):
        x, y = np.meshgrid(np.linspace(-1, 1, 400), np.linspace(-1, 1, 300))
        level = np.clip(0.9 - 0.2 * (x**2 + y**2) ** 2, 0, 1)
        image = np.repeat(level[..., None], 3, -1).astype(np.float32)
        assert masks.cut_out(image) is None
        image[100:200, 150:250] = 0.1  # its mask would have a ring around it
        assert masks.cut_out(image) is None

    @pytest.mark.parametrize("shape", [(8, 8), (1, 30), (30, 1), (2, 3)])
    def test_small_pictures(self, shape):
        image = np.ones((*shape, 3), np.float32)
        covered = masks.cut_out(image)
        assert covered is not None and not covered.any()


@pytest.mark.parametrize(
    ("covered", "message"),
    [
        (np.zeros((40, 60), bool), "empty"),
        (np.ones((40, 60), bool), "full"),
        (mask().T, "40 x 60 pixels, and it has 60 x 40"),
        (None, "cannot be read"),
    ],
)
def test_hostile_masks(covered, message, tmp_path):
    path, other = save_opaque(tmp_path / "a.png"), tmp_path / "m.png"
    if covered is None:
        other.write_bytes(b"no image")
    else:
        save_mask(other, covered)
    with pytest.raises(ValueError, match=message):
        pictures.read_picture(path, other)


def test_missing_masks(tmp_path):
    path = save_opaque(tmp_path / "a.png")
    with pytest.raises(ValueError, match="no mask a.png in"):
        pictures.read_picture(path, tmp_path)  # it is not its own mask
    with pytest.raises(ValueError, match="no mask a.png in"):
        pictures.read_picture(path, tmp_path.parent)
    with pytest.raises(ValueError, match="there is no mask"):
        pictures.read_picture(path, tmp_path / "none.png")
