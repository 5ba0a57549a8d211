"""Frames around pictures: found, left out, and not found where there is none."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from jaxsoftras.prediction import frames, masks, pictures
from tests.support import framed_pictures
from tests.support.framed_pictures import FRAMES, Case
from tests.support.unseen_pictures import plain, vignette

GREY = plain(0.6, 0.7, 0.75)


def shape() -> np.ndarray:
    """``[640, 640, 4]``: a mug from the side, seen through its handle."""
    image = Image.new("L", (640, 640))
    pen = ImageDraw.Draw(image)
    pen.ellipse((330, 260, 450, 380), outline=255, width=25)
    pen.polygon([(190, 210), (390, 210), (370, 430), (210, 430)], 255)
    cover = np.asarray(image)[..., None] / np.float32(255)
    return np.concatenate([cover * (0.75, 0.2, 0.15), cover], -1)


def make(
    kind: str = "", behind=GREY, size=(160, 120), quality=None, noise=0.01
) -> Case:
    shot = framed_pictures.Shot("", size, (0, 0), behind, noise=noise)
    return framed_pictures.make_case(kind, shape(), shot, quality)


def find(image: np.ndarray) -> masks.Found:
    found = masks.find_object(image)
    assert found is not None
    return found


@pytest.mark.parametrize("kind", FRAMES)
def test_frames_are_left_out(kind):
    case = make(kind, size=(200, 150))
    found = find(case.image)
    assert found.frame is not None
    assert framed_pictures.measure_iou(found.mask > 0.5, case.mask) > 0.95
    # alone, the background is that of the frame, or not plain
    before = masks.cut_out(case.image)
    assert framed_pictures.measure_iou(before, case.mask) < 0.6


@pytest.mark.parametrize("quality", [30, 60, 95])
@pytest.mark.parametrize("kind", ["thin", "polaroid", "letterbox"])
def test_frames_of_jpeg_files(kind, quality):
    case = make(kind, vignette(0.75, 0.78, 0.72, loss=0.2), (320, 240), quality)
    found = find(case.image)
    assert found.frame is not None
    assert framed_pictures.measure_iou(found.mask > 0.5, case.mask) > 0.9


def test_bands_are_measured():
    image = make(noise=0).image
    image[:9] = image[:, -20:] = 0.1
    (frame,) = [f for f in frames.list_frames(image) if all(np.take(f.bands, [1, 2]))]
    assert frame.bands == (0, 9, 20, 0)
    assert frame.describe().endswith("in pixels 9 at the top, 20 on the right")
    assert frame.covered[:9].all() and frame.covered[:, -20:].all()
    inset = 2 + 1  # of blurred lines, and a hundredth of the height
    assert not frame.covered[9 + inset :, : -20 - inset].any()


@pytest.mark.parametrize(("size", "least"), [((60, 40), 0.8), ((700, 500), 0.95)])
def test_sizes_of_pictures(size, least):
    case = make("wide", size=size, noise=0)
    assert framed_pictures.measure_iou(find(case.image).mask > 0.5, case.mask) > least


class TestWithoutFrame:
    """Pictures whose mask is that of the background alone."""

    def check(self, image: np.ndarray) -> None:
        image = image.astype(np.float32)
        found, alone = masks.find_object(image), masks.cut_out(image)
        if found is None:
            assert alone is None
        else:
            assert found.frame is None
            np.testing.assert_array_equal(found.mask > 0.5, alone)

    @pytest.mark.parametrize("level", [0.0, 0.02, 0.05, 0.3])
    def test_noise(self, level):
        self.check(make(noise=level).image)

    def test_vignettes_and_gradients(self):
        for loss in (0.1, 0.4, 0.8):
            self.check(make(behind=vignette(0.9, 0.9, 0.9, loss=loss)).image)

    def test_objects_that_the_border_cuts(self):
        image = make(noise=0).image
        for cut in (image[:, 40:], image[30:], image[:80], image[:, :90], image[30:80]):
            self.check(cut)

    def test_horizon_behind_an_object(self):
        """A floor of one colour begins at a straight line, which the object crosses."""
        case = make(noise=0)
        for row in (65, 80):
            image = np.where(case.mask[..., None], case.image, 0.6)
            image[row:][~case.mask[row:]] = 0.3
            self.check(image)

    def test_horizon_behind_a_thin_post(self):
        image = np.full((120, 160, 3), 0.6)
        image[85:] = 0.3
        image[20:60, 50:110] = image[60:110, 78:82] = 0, 0.1, 0.2  # a road sign
        self.check(image)

    @pytest.mark.parametrize("margin", [4, 20])
    def test_cupboards_from_the_front(self, margin):
        image = np.ones((160, 120, 3))
        image[margin:-margin, margin:-margin] = 0.5, 0.35, 0.2
        image[margin + 5 : -margin - 5, 59:61] = 0.3, 0.2, 0.1  # between two doors
        image[70:80, 52:55] = image[70:80, 66:69] = 0.9
        self.check(image)

    def test_screens_from_the_front(self):
        image = np.full((120, 160, 3), 0.8)
        image[10:-10, 10:-10] = 0.1
        image[16:-16, 16:-16] = 0.3, 0.5, 0.7
        self.check(image)

    @pytest.mark.parametrize(
        "shape", [(1, 1), (1, 30), (30, 1), (2, 3), (8, 8), (9, 7)]
    )
    def test_small_pictures(self, shape):
        random = np.random.default_rng(0).random((*shape, 3))
        self.check(random)
        self.check(np.ones((*shape, 3)))

    def test_wallpapers_in_frames(self):
        """Nothing within the frame is plain: the inside is the object, and noted."""
        image = np.random.default_rng(0).random((120, 160, 3))
        image[:12] = image[-12:] = image[:, :12] = image[:, -12:] = 1
        self.check(image)


def read(path, image: np.ndarray) -> pictures.Picture:
    Image.fromarray(np.uint8(255 * image)).save(path)
    return pictures.read_picture(path)


def test_notes(tmp_path):
    path = tmp_path / "a.png"
    assert read(path, make().image).notes == ()
    (note,) = read(path, make("polaroid").image).notes
    assert note.startswith("a frame is left out, in pixels 7 on the left, 7 at the top")
    cut = make(noise=0).image
    cut[:, -54:] = 0  # a band on the handle
    assert "reaches the border" in read(path, cut).notes[1]
    wallpaper = np.random.default_rng(0).random((120, 160, 3))
    wallpaper[:12] = wallpaper[-12:] = wallpaper[:, :12] = wallpaper[:, -12:] = 1
    (note,) = read(path, wallpaper).notes
    assert "upright rectangle" in note and "--mask" in note


@pytest.mark.slow  # renders shapes of the embedded data set
def test_masks_of_rendered_objects():
    results: dict[bool, list[tuple[float, float, bool]]] = {True: [], False: []}
    for case in framed_pictures.make_cases(framed_pictures.draw_objects()):
        results[bool(case.kind)].append(framed_pictures.compare(case))
    before, after, found = np.mean(results[True], axis=0)
    assert len(results[True]) >= 60
    assert before < 0.1 and after > 0.75 and found > 0.85
    alone = np.array(results[False])
    assert not alone[:, 2].any()
    np.testing.assert_array_equal(alone[:, 0], alone[:, 1])
