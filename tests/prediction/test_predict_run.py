import functools
import json
import os
from pathlib import Path

import pytest
from PIL import Image

import jaxsoftras
from jaxsoftras import __main__ as program
from jaxsoftras import model_files, models, terminal
from jaxsoftras.prediction import drawing, inputs, predict_run, predictor
from jaxsoftras.reconstruction import runs
from tests.prediction.test_drawing import shade
from tests.support import tiny_models
from tests.support.pictures import noise, save_mask, save_opaque


@pytest.fixture(scope="module", autouse=True)
def quick():
    """One compiled predictor for all tests, and images without the renderer."""
    make = functools.cache(predictor.Predictor)

    def shared(model, **options):
        options = {name: value for name, value in options.items() if value is not None}
        return make(tiny_models.make()._replace(inverted=model.inverted), **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(predict_run, "Predictor", shared)
        patch.setattr(drawing, "render_shaded", shade)
        patch.setattr(
            models.Trained, "__hash__", lambda self: id(self.network), raising=False
        )
        patch.setattr(models.Trained, "__eq__", lambda a, b: a.network is b.network)
        yield


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("models") / "model.zip"
    model_files.save(path, tiny_models.make(), license="CC0-1.0")
    return path


@pytest.fixture
def run(model, tmp_path, capsys):
    """Runs the command; returns its exit code, its output and its errors."""

    def run(*words, out: Path | None = None, model: Path | None = model):
        arguments = [str(word) for word in words]
        arguments += ["--out", str(out or tmp_path / "out"), "--no-compilation-cache"]
        if model:
            arguments += ["--model", str(model)]
        code = predict_run.main(arguments)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def files_of(name: str, format: str = "glb") -> set[str]:
    return {f"{name}.{format}", f"{name}_turntable.gif", f"{name}_views.png"}


def test_writes_mesh_turntable_views_and_summary(run, tmp_path):
    code, printed, _ = run(save_opaque(tmp_path / "a.png"))
    assert code == 0
    out = tmp_path / "out"
    assert names(out) == files_of("a") | {"predictions.json"}
    mesh = jaxsoftras.load_mesh(out / "a.glb")
    assert mesh.vertices.shape == (42, 3) and mesh.faces.shape == (80, 3)
    summary = json.loads((out / "predictions.json").read_text())
    (row,) = summary["predictions"]
    assert row["mesh"] == "a.glb" and row["mask"] == "background"
    assert summary["left_out"] == [] and summary["elevation"] == 30
    assert f"{row['silhouette_iou']:.3f}" in printed
    assert "1 of 1 meshes" in printed
    with Image.open(out / "a_views.png") as image:
        assert image.width > 4 * 192


def test_numbers_of_earlier_calls_are_kept_with_their_meshes(run, tmp_path):
    first = [save_opaque(tmp_path / f"{name}.png") for name in "abcd"]
    out = tmp_path / "out"
    assert run(*first, "--distance", 3)[0] == 0
    earlier = json.loads((out / "predictions.json").read_text())["predictions"]
    (out / "b.glb").unlink()
    again = [save_opaque(tmp_path / name) for name in ("c.bmp", "e.png")]
    assert run(*again, "--distance", 4)[0] == 0  # the mesh c.glb is of another picture
    assert run(first[3], "--format", "obj")[0] == 0
    summary = json.loads((out / "predictions.json").read_text())
    assert summary["predictions"][0] == earlier[0]
    rows = [
        (Path(row["picture"]).name, row["mesh"], row["distance"])
        for row in summary["predictions"]
    ]
    assert rows[:3] == [
        ("a.png", "a.glb", 3),
        ("c.bmp", "c.glb", 4),
        ("e.png", "e.glb", 4),
    ]
    assert [row[:2] for row in rows[3:]] == [("d.png", "d.obj")]


@pytest.mark.filterwarnings("always:.* no list of predictions")
def test_lists_of_an_earlier_version_and_damaged_ones(run, tmp_path):
    path = save_opaque(tmp_path / "a.png")
    out = tmp_path / "out"
    out.mkdir()
    (out / "b.glb").touch()
    entry = {"picture": "b.png", "mesh": "b.glb"}
    content = {"distance": 3.0, "predictions": [entry]}
    (out / "predictions.json").write_text(json.dumps(content))
    assert run(path)[0] == 0
    summary = json.loads((out / "predictions.json").read_text())
    assert summary["predictions"][0] == {"distance": 3.0, **entry}
    for text in ("{", "[]", '{"distance": 3, "predictions": [1]}'):
        (out / "predictions.json").write_text(text)
        code, _, errors = run(path)
        assert code == 0 and errors.count("was no list of predictions") == 1
        summary = json.loads((out / "predictions.json").read_text())
        assert [row["mesh"] for row in summary["predictions"]] == ["a.glb"]


def test_pictures_that_are_left_out(run, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    save_opaque(folder / "good.png")
    (folder / "text.png").write_text("text")
    Image.fromarray(noise()).save(folder / "noise.png")
    (folder / "notes.txt").write_text("passed over")
    code, printed, _ = run(folder, tmp_path / "none.png")
    assert code == 1
    assert names(tmp_path / "out") == files_of("good") | {"predictions.json"}
    assert "1 of 4 meshes" in printed
    for name, reason in (
        ("text.png", "unknown format"),
        ("noise.png", "give --mask FILE"),
        ("none.png", "no such file"),
    ):
        lines = [line for line in printed.splitlines() if "Left out" in line]
        assert any(name in line and reason in line for line in lines)
    summary = json.loads((tmp_path / "out" / "predictions.json").read_text())
    assert len(summary["left_out"]) == 3


def test_links_that_lead_nowhere(run, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    save_opaque(folder / "good.png")
    (folder / "again.png").symlink_to("good.png")  # the first of a picture counts
    (folder / "loop.png").symlink_to("loop.png")
    (folder / "broken.png").symlink_to("none.png")
    code, printed, _ = run(folder, folder / "good.png")
    assert code == 1 and "1 of 3 meshes" in printed
    assert printed.count("there is no such file") == 2


def test_nothing_usable_is_1(run, tmp_path):
    Image.fromarray(noise()).save(tmp_path / "a.png")
    code, printed, _ = run(tmp_path / "a.png")
    assert code == 1 and "0 of 1 meshes" in printed and "┃" not in printed


@pytest.mark.parametrize(("format", "steps"), [("obj", 20), ("ply", 0)])
def test_other_formats_and_refinement(format, steps, run, tmp_path):
    path = save_opaque(tmp_path / "a.png")
    code, printed, _ = run(path, "--format", format, "--refine", steps)
    assert code == 0 and names(tmp_path / "out") >= files_of("a", format)
    mesh = jaxsoftras.load_mesh(tmp_path / "out" / f"a.{format}")
    assert mesh.vertices.shape == (42, 3)
    assert (" to 0." in printed) == bool(steps)


def test_equal_names_do_not_replace_each_other(run, tmp_path):
    paths = []
    for place in ("a.png", "a.bmp", "sub/A.png", "sub/a-2.png"):
        (tmp_path / place).parent.mkdir(exist_ok=True)
        paths.append(save_opaque(tmp_path / place))
    code, printed, _ = run(*paths, paths[0])
    assert code == 0 and "4 of 4" in printed
    stems = {"a", "a-2", "A-3", "a-2-2"}
    wanted = set().union(*map(files_of, stems)) | {"predictions.json"}
    assert names(tmp_path / "out") == wanted
    assert "a.bmp: its results are named a-2" in printed


def test_odd_names(run, tmp_path):
    names_of = {
        "a\nb.png": "a\nb",
        "[red].png": "[red]",
        ".x.png": "x",
        "-x.png": "-x",
        "ä" * 120 + ".png": "ä" * 90,
        "a.b.c.png": "a.b.c",
        "a b.png": "a b",
        os.fsdecode(b"\xff.png"): os.fsdecode(b"\xff"),
    }
    code, printed, _ = run(*[save_opaque(tmp_path / name) for name in names_of])
    assert code == 0
    assert {f"{name}.glb" for name in names_of.values()} <= names(tmp_path / "out")
    assert "a\\nb.png" in printed and "a\nb" not in printed


def test_a_run(run, tmp_path, monkeypatch):
    asked = []

    def load(workdir, step):
        asked.append((workdir, step))
        return tiny_models.make()

    monkeypatch.setattr(runs, "load", load)
    path = save_opaque(tmp_path / "a.png")
    assert run(path, "--workdir", tmp_path, model=None)[0] == 0
    words = path, "--workdir", tmp_path, "--checkpoint", "best"
    assert run(*words, model=None)[0] == 0
    assert asked == [(tmp_path, None), (tmp_path, "best")]


def test_masks(run, tmp_path):
    Image.fromarray(noise()).save(tmp_path / "a.png")
    mask = save_mask(tmp_path / "m.png")
    code, printed, _ = run(tmp_path / "a.png", "--mask", mask)
    assert code == 0 and "file" in printed
    code, _, errors = run(tmp_path / "a.png", mask, "--mask", mask)
    assert code == 2 and "a folder of masks" in errors
    code, _, errors = run(tmp_path / "a.png", "--mask", tmp_path / "none")
    assert code == 2 and "no mask" in errors
    (tmp_path / "masks").mkdir()
    code, printed, _ = run(tmp_path / "a.png", "--mask", tmp_path / "masks")
    assert code == 1 and "there is no mask a.png" in printed


class TestRefusals:
    def refusal(self, result) -> str:
        code, _, errors = result
        assert code == 2
        lines = [x for x in errors.splitlines() if not x.startswith("Predicting")]
        assert len(lines) == 1 and lines[0].startswith("jaxsoftras predict: ")
        return lines[0]

    def test_no_model(self, run, tmp_path, monkeypatch):
        monkeypatch.setattr(model_files, "PRETRAINED", tmp_path / "none.zip")
        path = save_opaque(tmp_path / "a.png")
        line = self.refusal(run(path, model=None))
        assert "--model FILE" in line and "--workdir FOLDER" in line
        assert not (tmp_path / "out").exists()

    def test_model_of_the_package(self, run, model, tmp_path, monkeypatch):
        monkeypatch.setattr(model_files, "PRETRAINED", model)
        assert run(save_opaque(tmp_path / "a.png"), model=None)[0] == 0

    def test_model_that_is_none(self, run, tmp_path):
        path = save_opaque(tmp_path / "a.png")
        assert "sound zip archive" in self.refusal(run(path, model=path))
        assert "no model file" in self.refusal(run(path, model=tmp_path / "x.zip"))
        words = path, "--workdir", tmp_path
        assert "not a run folder" in self.refusal(run(*words, model=None))

    def test_results_among_the_pictures(self, run, tmp_path):
        path = save_opaque(tmp_path / "a.png")
        line = self.refusal(run(tmp_path, out=tmp_path))
        assert "folder of pictures" in line
        views = save_opaque(tmp_path / "a_views.png")
        line = self.refusal(run(path, views, out=tmp_path))
        assert "a_views.png would be replaced" in line
        assert "not a folder" in self.refusal(run(path, out=views))
        assert names(tmp_path) == {"a.png", "a_views.png"}

    def test_folder_without_pictures(self, run, tmp_path):
        (tmp_path / "in").mkdir()
        assert "holds no picture" in self.refusal(run(tmp_path / "in"))

    def test_numbers_out_of_range(self, run, tmp_path, capsys):
        path = save_opaque(tmp_path / "a.png")
        assert "-90 to 90" in self.refusal(run(path, "--elevation", 100))
        assert "1 to 1000" in self.refusal(run(path, "--distance", "nan"))
        for words in (["--refine", "-1"], ["--checkpoint", "best"]):
            with pytest.raises(SystemExit) as caught:
                run(path, *words)
            assert caught.value.code == 2

    def test_disk_errors_leave_nothing_half_written(self, run, tmp_path, monkeypatch):
        def fail(frames, path):
            path.write_bytes(b"half")
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(drawing, "save_turntable", fail)
        line = self.refusal(run(save_opaque(tmp_path / "a.png")))
        assert "disk is full" in line
        assert names(tmp_path / "out") == set()


def test_help_states_the_exit_codes(capsys):
    with pytest.raises(SystemExit):
        program.main(["predict", "--help"])
    printed = " ".join(capsys.readouterr().out.split())
    assert "1 if some were left out" in printed


def test_pictures_of_a_folder_are_in_order(tmp_path):
    """Also of formats that cannot be read: they are left out by name."""
    for name in ("b.PNG", "d.HEIC", "a.jpg", ".hidden.png", "a_mask.png", "c.txt"):
        (tmp_path / name).touch()
    found = inputs.list_pictures([tmp_path, tmp_path / "a.jpg"])
    assert [path.name for path in found] == ["a.jpg", "b.PNG", "d.HEIC"]
    with pytest.raises(terminal.ProgramError):
        inputs.list_pictures([tmp_path / "c.txt", tmp_path.parent])


@pytest.mark.parametrize(
    ("iou", "before", "text"),
    [(0.59, 0.59, "0.590, low"), (0.7, 0.59, "0.590 to 0.700"), (0.6, 0.6, "0.600")],
)
def test_low_scores_are_flagged(iou, before, text):
    assert predict_run._describe_iou(iou, before) == text
