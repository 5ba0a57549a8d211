import contextlib
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from jaxsoftras import terminal
from jaxsoftras.prediction import Predictor, drawing
from tests.support import pictures as files
from tests.support import tiny_models, viewed_runs

viewed_runs.require_viser()

from jaxsoftras.viewer import pictures  # noqa: E402
from jaxsoftras.viewer.page import Page  # noqa: E402
from jaxsoftras.viewer.worker import Worker  # noqa: E402


@pytest.fixture(scope="module")
def predictor():
    return Predictor(tiny_models.make())


@pytest.fixture
def make(predictor, tmp_path, monkeypatch):
    """Makes viewers that draw nothing; what they show and say is noted."""
    monkeypatch.setattr(drawing, "draw_cells", lambda *_: {"a": np.zeros((2, 2, 3))})
    with Page("127.0.0.1", 0) as page, contextlib.ExitStack() as stack:

        def build(*paths, **options):
            worker = Worker(print, 0)
            uploads = pictures.make_folder(stack)
            viewer: Any = pictures.PictureViewer(
                page, worker, predictor, paths, uploads, **options
            )
            viewer.page, viewer.worker, viewer.uploads = page, worker, uploads
            viewer.shown, viewer.said = [], []
            monkeypatch.setattr(page, "show", viewer.shown.append)
            monkeypatch.setattr(
                page, "say", lambda text, problem=False: viewer.said.append(text)
            )
            return viewer

        yield build
        folder = pictures.make_folder(stack)
    assert not folder.exists()


def upload(viewer, name: str, content: bytes) -> None:
    file = SimpleNamespace(name=name, content=content)
    viewer._receive(SimpleNamespace(target=SimpleNamespace(value=file)))
    while (action := viewer.worker._next()) is not None:
        viewer.worker._do(action)


def test_shows_the_prediction(make, predictor, tmp_path):
    path = files.save_opaque(tmp_path / "a.png")
    viewer = make(path)
    viewer.begin()
    (exhibit,) = viewer.shown
    expected = predictor(pictures.prediction.read_picture(path))
    np.testing.assert_array_equal(
        exhibit.solids[0].mesh.vertices, expected.mesh.vertices
    )
    facts = dict(exhibit.facts)
    assert facts["Silhouette IoU"] == f"{expected.iou:.3f}"
    assert facts["Mask"] == "background" and exhibit.title == "a.png"
    angle = np.degrees(np.arctan2(exhibit.towards[0], exhibit.towards[2]))
    assert np.isclose((angle - expected.azimuth) % 360, 0, atol=1e-3)


def test_asks_for_a_picture_where_there_is_none(make):
    viewer = make()
    viewer.begin()
    viewer.look()
    assert not viewer.shown and "Open a picture" in viewer.said[-1]


@pytest.mark.parametrize(
    "name",
    [
        *("a.png", "../../a.png", "/etc/passwd", "..", "", "a\0b", "c:\\a.png"),
        *("x" * 999, "\N{GRINNING FACE}" * 90 + ".png", "\ud800.png"),
    ],
)
def test_pictures_from_the_browser_stay_in_their_folder(make, tmp_path, name):
    content = files.save_opaque(tmp_path / "a.png").read_bytes()
    viewer = make()
    upload(viewer, name, content)
    assert len(viewer.shown) == 1, viewer.said
    written = [path for path in viewer.uploads.rglob("*") if path.is_file()]
    assert len(written) == 1 and written[0].read_bytes() == content


@pytest.mark.parametrize(
    "content", [b"", b"\x89PNG\r\n\x1a\n", b"GIF89a" + b"\xff" * 50]
)
def test_what_is_no_picture_is_reported(make, content):
    viewer = make()
    upload(viewer, "a.png", content)
    assert viewer.shown[-1].solids == () and viewer.said[-1].startswith("a.png: ")


def test_a_picture_without_a_mask_says_what_to_do(make, tmp_path):
    path = files.save_opaque(tmp_path / "a.png", files.noise())
    with pytest.raises(terminal.ProgramError, match=r"a\.png: it has no mask"):
        make(path).begin()
    mask = files.save_mask(tmp_path / "mask.png")
    viewer = make(path, mask=mask)
    viewer.begin()
    assert dict(viewer.shown[0].facts)["Mask"] == "file"


def test_pictures_that_are_not_there_are_refused(tmp_path):
    with pytest.raises(terminal.ProgramError, match="There is no picture"):
        pictures.find([tmp_path / "gone.png"])
    with pytest.raises(terminal.ProgramError, match="holds no picture"):
        pictures.find([tmp_path])
