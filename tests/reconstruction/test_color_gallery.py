# the parts of a Subject that a gallery needs stand in for it
# pyright: reportArgumentType=false

import types

import numpy as np
import pytest
from PIL import Image, ImageFont

from jaxsoftras import config, data
from jaxsoftras.reconstruction import color_gallery, evaluation_pictures, gallery
from tests.reconstruction.test_coloring import make_experiment
from tests.support import small_run
from tests.support.scores import make_scores

CELL = gallery.CELL


def make_psnr(*means, views=2):
    """Scores of objects of one category, of which every second view has a PSNR."""
    values = np.full((len(means), views), np.nan)
    values[:, ::2] = np.array(means)[:, None]
    return make_scores({"a": len(means)}, views, psnr=values)


class TestChoose:
    def test_best_median_and_worst_of_the_split(self):
        choices = color_gallery.choose(make_psnr(12, 15, np.nan, 11, 14))
        assert choices == [("best", 1, 15), ("median", 4, 14), ("worst", 3, 11)]

    def test_few_objects(self):
        assert color_gallery.choose(make_psnr(12)) == [("only", 0, 12)]
        assert [c[:2] for c in color_gallery.choose(make_psnr(1, 2))] == [
            ("best", 1),
            ("worst", 0),
        ]

    def test_without_any_psnr_the_first_is_shown(self):
        (choice,) = color_gallery.choose(make_psnr(np.nan, np.nan))
        assert choice[:2] == ("unranked", 0) and np.isnan(choice.psnr)

    @pytest.mark.parametrize(
        ("count", "expected"),
        [(1, [0]), (2, [0, 2]), (3, [0, 1, 3]), (5, [0, 1, 2, 3, 4]), (9, range(5))],
    )
    def test_evenly(self, count, expected):
        choices = color_gallery.choose(make_psnr(1, 2, 3, 4, 5), count)
        assert [choice.index for choice in choices] == list(expected)
        assert {choice.rank for choice in choices} == {""}


@pytest.mark.parametrize("count", range(1, 40))
def test_views_are_unseen_and_differ(count):
    shown, unseen = color_gallery.choose_views(count)
    assert len(unseen) == min(count - 1, 3) and len({shown, *unseen}) == 1 + len(unseen)
    assert all(0 <= view < count for view in (shown, *unseen))
    if count == 24:
        assert (shown, unseen) == (2, [8, 14, 20])


@pytest.fixture(scope="module")
def subject(cabinets):
    experiment = make_experiment()
    settings = experiment.config
    source = config.Data(root=str(cabinets), categories=(small_run.CABINET,))
    return types.SimpleNamespace(
        experiment=experiment,
        settings=settings,
        split=data.open_split(source, "train"),
        variables=experiment.init(0).variables,
        sigma=1e-4,
    )


def test_rows_are_meshes_and_images_of_unseen_views(subject):
    split, key = subject.split, small_run.CABINET
    scores = make_scores({key: split.count(key)}, psnr=10.5)
    choices = color_gallery.choose(scores, 2)
    rows = color_gallery.reconstruct(subject, scores, choices)
    assert len(rows) == 2
    row, number = rows[1], choices[1].index
    assert number > 0
    assert row.label == (f"name of {key}", f"object {number}", "PSNR 10.50 dB")
    views = np.array([2, 8, 14, 20])
    images = split.images(key, np.full(4, number), views)
    np.testing.assert_array_equal(row.image, images[0])
    np.testing.assert_array_equal(row.references, images[1:])
    found = subject.experiment.reconstruct(
        subject.variables, np.repeat(images[:1], 4, axis=0)
    )
    cameras = split.viewpoints(key, np.full(4, number), views)
    drawn = subject.experiment.colors.draw(*found, cameras, size=CELL)
    expected = np.round(255 * np.asarray(drawn[1:]))
    assert np.abs(row.drawn - expected).max() <= 1


@pytest.mark.parametrize("views", [[], [5]])
def test_objects_of_few_views_have_fewer_cells(views, subject, monkeypatch):
    monkeypatch.setattr(color_gallery, "choose_views", lambda _: (0, views))
    scores = make_scores({small_run.CABINET: subject.split.count(small_run.CABINET)})
    choices = color_gallery.choose(scores, 2)
    for row in color_gallery.reconstruct(subject, scores, choices):
        assert len(row.drawn) == len(row.references) == len(views)
        assert row.label[-1] == "no PSNR"


class TestSheet:
    def make_row(self, views, label=("best", "chair")):
        image = np.full((4, 8, 8), 255, np.uint8)
        image[:3] = 40
        shades = 50 * np.arange(1, views + 1, dtype=np.uint8)
        drawn = np.broadcast_to(shades[:, None, None, None], (views, CELL, CELL, 3))
        references = np.full((views, 4, 8, 8), 255, np.uint8)
        references[:, :3] = shades[:, None, None, None] + 5
        return color_gallery.Row(label, image, drawn, references)

    def test_images_stand_beside_meshes(self):
        rows = [self.make_row(3), self.make_row(1)]
        pixels = np.asarray(color_gallery.sheet(rows))
        step = CELL + color_gallery._GAP
        left = color_gallery._LABEL_WIDTH + CELL // 2
        top = color_gallery._HEADER_HEIGHT + CELL // 2
        found = pixels[top::step, left::step, 0]
        assert found.tolist() == [
            [40, 50, 55, 100, 105, 150, 155],
            [40, 50, 55, 255, 255, 255, 255],
        ]
        assert np.any(pixels[top - 30 : top + 30, : color_gallery._LABEL_WIDTH] < 100)

    def test_no_unseen_view(self):
        row = self.make_row(0)
        assert np.asarray(color_gallery.sheet([row])).min() < 50

    def test_long_names_are_shortened(self):
        font = ImageFont.load_default(14)
        assert color_gallery._fit("chair", font) == "chair"
        short = color_gallery._fit("a chair of a very long name", font)
        assert short.endswith("…") and short.startswith("a chair")
        assert font.getlength(short) <= color_gallery._LABEL_WIDTH - 12


def test_networks_without_colours_have_no_gallery_of_colours(subject, monkeypatch):
    plain = types.SimpleNamespace(**vars(subject))
    plain.settings = config.Config()
    monkeypatch.setattr(gallery, "reconstruct", lambda *_: [])
    assert evaluation_pictures.make(plain, make_psnr(1), None) == ([], [])


def test_meshes_in_colour_are_those_of_networks_with_colours(tmp_path, monkeypatch):
    page = Image.new("RGB", (1, 1))
    monkeypatch.setattr(gallery, "sheet", lambda *_: page)
    monkeypatch.setattr(color_gallery, "sheet", lambda _: page)
    image = np.zeros((4, 8, 8), np.uint8)
    vertices, faces = np.eye(3), np.array([[0, 1, 2]])
    parts = image, image[3], image, vertices, None
    colored = gallery.Example("a", *parts, colors=vertices)
    plain = colored._replace(colors=None)
    for pictures, names in (
        (([colored], ["a row"]), {"gallery.png", "colors.png", "a.obj", "a.glb"}),
        (([plain], []), {"gallery.png", "a.obj"}),
    ):
        folder = tmp_path / str(len(names))
        folder.mkdir()
        pictures = evaluation_pictures.Pictures(*pictures)
        said = evaluation_pictures.write(folder, pictures, faces)
        assert {path.name for path in folder.iterdir()} == names
        assert ("GLB" in said) == ("a.glb" in names)
