"""Fits of a whole split: their scores, files, resumption, and place in comparisons."""

import json
import re
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsoftras import config, data, mesh, terminal, voxels
from jaxsoftras.data import rig
from jaxsoftras.fitting import engine, fit_run
from jaxsoftras.reconstruction import (
    ceiling,
    comparison_run,
    evaluation_scores,
)
from jaxsoftras.reconstruction.evaluation_groups import load_group
from tests.support.small_run import CABINET

FIT = ceiling.Fitted(
    vertices=np.zeros((12, 3), np.float32),
    iou=np.array(np.nan, np.float32),
    view_iou=np.array([0, 1, 0.5, np.nan], np.float32),
    fitted=np.array([True, True, False, False]),
    loss=np.array(0.5, np.float32),
)
SETS = ["render.implementation=reference", "data.categories=('02933112',)"]


def run(root, out, *words):
    """Runs the program on the split train, with sizes that are quickly done."""
    options = ["--split", "train", "--steps", "3", "--template-level", "0"]
    where = ["--config", "softras", "--data", str(root), "--out", str(out)]
    quick = ["--points", "0", "--no-compilation-cache", "--set", *SETS]
    return fit_run.main([*where, *options, *quick, *map(str, words)])


@pytest.fixture(scope="module")
def fitted(cabinets, tmp_path_factory):
    """The folder of a finished program, of three cabinets."""
    out = tmp_path_factory.mktemp("fits") / "ceiling"
    assert run(cabinets, out, "--batch", "2") == 0
    return out


def load(out):
    return evaluation_scores.load(out / "eval" / "train" / "scores.npz")


def test_scores_are_those_of_the_meshes(fitted, cabinets):
    scores = load(fitted)
    split = data.open_split(
        config.Data(root=str(cabinets), categories=(CABINET,)), "train"
    )
    count = split.count(CABINET)
    group = load_group(split, [(CABINET, number) for number in range(count)])
    cameras = jax.device_get(rig.as_cameras(group.cameras))
    assert scores.step == 3 and scores.split == "train" and len(scores.name) == count
    settings = config.override(config.Config(), SETS[:1])
    faces = np.asarray(mesh.icosphere(0).faces)
    for number in range(count):
        path = ceiling.locate(fitted / "fits", split, (CABINET, number))
        with np.load(path) as file:
            vertices, loss = file["vertices"][None], float(file["loss"])
        assert group.occupied is not None
        truth = jnp.asarray(group.occupied[[number]])
        iou = voxels.iou(voxels.voxelize(vertices, faces), truth)
        np.testing.assert_allclose(
            scores.columns["iou"][number], float(iou[0]), rtol=1e-6
        )
        views = engine.Views(
            group.images[[number], :, 3],
            jax.tree.map(lambda part, n=number: part[[n]], cameras),
            np.ones((1, 24), np.float32),
        )
        masks = engine.compute_iou(vertices, faces, views, settings)
        np.testing.assert_allclose(
            scores.columns["silhouette_iou"][number], float(masks.mean()), rtol=1e-5
        )
        assert scores.columns["loss"][number, 0] == pytest.approx(loss)
        assert np.isnan(scores.columns["chamfer"][number]).all()


def test_a_comparison_reads_the_folder_as_a_run(fitted):
    table = comparison_run.compare([str(fitted)], "train")
    (row,) = table["rows"]
    metrics = json.loads((fitted / "eval" / "train" / "metrics.json").read_text())
    assert row["columns"]["iou"]["mean"] == pytest.approx(metrics["mean_iou"])
    assert "all views of each object" in metrics["notes"][0]


@pytest.mark.slow
def test_it_stands_beside_a_network(evaluated, trained, cabinets, tmp_path, capsys):
    out = tmp_path / "ceiling"
    assert run(cabinets, out, "--split", "test", "--steps", "100") == 0
    table = comparison_run.compare([str(trained), str(out)], "test", columns=["iou"])
    assert [row["name"] for row in table["rows"]] == [str(trained), str(out)]
    assert table["rows"][1]["columns"]["iou"]["difference"] > 0


class TestGoingOn:
    def test_finished_objects_are_kept(self, fitted, cabinets, monkeypatch, capsys):
        before = load(fitted).columns["iou"]
        monkeypatch.setattr(
            ceiling.SplitFitter, "__call__", lambda *_: pytest.fail("it fits again")
        )
        assert run(cabinets, fitted) == 0
        np.testing.assert_array_equal(load(fitted).columns["iou"], before)

    def test_only_what_is_missing_is_fitted(
        self, fitted, cabinets, monkeypatch, capsys
    ):
        before, asked = load(fitted).columns["iou"], []
        fit = ceiling.SplitFitter.__call__

        def record(self, objects, size, progress=None):
            asked.extend(objects)
            return fit(self, objects, size, progress)

        monkeypatch.setattr(ceiling.SplitFitter, "__call__", record)
        path = fitted / "fits" / "train" / f"{CABINET}_00001.npz"
        with np.load(path) as file:
            arrays = dict(file)
        np.savez(path, **arrays | {"view_iou": arrays["view_iou"] + 1})
        with warnings.catch_warnings(action="default"):
            assert run(cabinets, fitted) == 0
        assert asked == [(CABINET, 1)]
        printed = capsys.readouterr()
        assert "2 of 3 objects are fitted already" in printed.out
        assert "00001.npz is fitted again: " in printed.err
        np.testing.assert_allclose(load(fitted).columns["iou"], before, atol=0.02)

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (["--steps", "4"], "(steps: 3 there, 4 here)"),
            (["--seed", "4"], "(seed: 0 there, 4 here)"),
            (["--views", "2"], "(views: 0 there, 2 here)"),
            (["--parametrization", "flow"], "parametrization: 'softras' there"),
            (["--template-level", "1"], "model.template_level: 0 there, 1 here"),
            (["--batch", "0"], "--batch must be positive"),
            (["--views", "-1"], "--views must not be negative"),
            (["--color"], "--color is for masks"),
            (["--meshes", "x"], "leave the option out"),
        ],
    )
    def test_refuses(self, words, message, fitted, cabinets, capsys):
        try:
            points = ["--points", "9"] if "--meshes" in words else []
            code = run(cabinets, fitted, *words, *points)
        except SystemExit as exit:
            code = exit.code
        assert code == 2
        assert message in capsys.readouterr().err.splitlines()[-1]

    def test_refuses_other_folders(self, cabinets, tmp_path, capsys):
        (tmp_path / "config.json").write_text("{}")
        assert run(cabinets, tmp_path) == 2
        assert "holds a run, and no fits" in capsys.readouterr().err
        (tmp_path / "fit.json").write_text("[")
        assert run(cabinets, tmp_path) == 2
        assert "fit.json is damaged" in capsys.readouterr().err

    @pytest.mark.parametrize(("offset", "value"), [(8, 1), (10, 99), (46, 0)])
    def test_a_damaged_file_is_passed_over(self, offset, value, tmp_path):
        path = tmp_path / "fit.npz"
        ceiling.save(path, FIT, "checksum")
        assert ceiling.load(path, "checksum", (12, 4)) is not None
        content = bytearray(path.read_bytes())
        # flags, method and name of the first member in the table of contents
        content[content.index(b"PK\x01\x02") + offset] = value
        path.write_bytes(content)
        with pytest.warns(UserWarning, match=r"npz is fitted again: .* is damaged"):
            assert ceiling.load(path, "checksum", (12, 4)) is None

    @pytest.mark.parametrize(
        ("name", "value", "reason"),
        [
            ("view_iou", np.full(4, 1.5), "view_iou is not from 0 to 1"),
            ("view_iou", np.array([0.5, -0.1, np.nan, 1]), "view_iou is not from 0"),
            ("view_iou", np.full(4, np.inf), "view_iou is not from 0 to 1"),
            ("view_iou", np.zeros(5), "view_iou is float64 [5]"),
            ("view_iou", np.zeros(4, int), "view_iou is int64 [4]"),
            ("iou", np.float32(2), "iou is not from 0 to 1"),
            ("iou", np.zeros(1), "iou is float64 [1]"),
            ("vertices", np.full((12, 3), np.nan), "vertices is not finite"),
            ("vertices", np.zeros((42, 3)), "vertices is float64 [42, 3]"),
            ("fitted", np.ones(4), "fitted is float64 [4]"),
            ("fitted", np.ones(4, bool), "no number for a view that was fitted"),
            ("fitted", np.zeros(4, bool), "no fitted view"),
            ("loss", np.float32(np.inf), "loss is not finite"),
            ("loss", np.array("low"), "loss is <U3 []"),
        ],
    )
    def test_a_file_of_wrong_numbers_is_passed_over(
        self, name, value, reason, tmp_path
    ):
        path = tmp_path / "fit.npz"
        ceiling.save(path, FIT._replace(**{name: value}), "checksum")
        with pytest.warns(UserWarning, match=re.escape(reason)):
            assert ceiling.load(path, "checksum", (12, 4)) is None

    def test_refuses_fits_of_other_images(self, fitted):
        path = fitted / "fits" / "train" / f"{CABINET}_00000.npz"
        with pytest.raises(terminal.ProgramError, match="of other images"):
            ceiling.load(path, "another checksum", (12, 5))


class TestChooseViews:
    def test_all(self):
        for wanted in (0, 5, 9):
            assert ceiling.choose_views(5, wanted, [0]).tolist() == [0, 1, 2, 3, 4]

    def test_evenly_spaced_from_a_random_one(self):
        firsts = set()
        for seed in range(20):
            chosen = ceiling.choose_views(24, 4, [seed])
            assert sorted(np.diff(np.sort(chosen))) == [6, 6, 6]
            assert chosen.tolist() == ceiling.choose_views(24, 4, [seed]).tolist()
            firsts.add(chosen.min())
        assert len(firsts) > 3


def test_columns_leave_out_fitted_views_where_there_are_others():
    class Split:
        num_views = 4

    nan = np.nan
    rows = [
        ([0.2, 0.4, 0.6, 0.8], [True, False, True, False], 0.6),
        ([0.2, 0.4, 0.6, 0.8], [True, True, True, True], 0.5),
        ([0.2, 0.4, nan, nan], [True, False, False, False], 0.4),
        ([0.2, nan, nan, nan], [True, False, False, False], nan),
    ]
    fits = [
        ceiling.Fitted(
            np.zeros((4, 3)),
            np.array(0.3),
            np.array(iou),
            np.array(seen),
            np.array(1.0),
        )
        for iou, seen, _ in rows
    ]
    columns = ceiling.make_columns(fits, Split())  # type: ignore[arg-type]
    np.testing.assert_allclose(
        columns["silhouette_iou"][:, 0], [value for *_, value in rows], rtol=1e-6
    )
    np.testing.assert_array_equal(np.isnan(columns["iou"]).sum(1), [0, 0, 2, 3])
