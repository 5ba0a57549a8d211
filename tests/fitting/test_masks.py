"""Meshes of masks: where they lie, their colours, and masks of every kind."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jaxsoftras import (
    VertexColors,
    config,
    icosphere,
    load_mesh,
    perspective_camera,
    terminal,
)
from jaxsoftras.data import carving
from jaxsoftras.fitting import Options, fit_run, masks, pairing, turntable, views
from jaxsoftras.fitting.masks import check_out
from tests.support import picture_folders

QUICK = ["render.implementation=reference", "model.template_level=1"]
SETTINGS = config.override(config.Config(), [*QUICK, "render.sigma=3e-4"])
SIZE = 16


def read(folder, name="1.png"):
    parsers = pairing.read_cameras(folder)
    return views.read_view(folder / name, parsers["1.png"], SIZE)


def change_camera(folder, number, change):
    path = folder / "cameras.json"
    content = json.loads(path.read_text())
    entry = content["pictures"][f"{number}.png"]
    rotation, translation = np.array(entry["R"]), np.array(entry["t"])
    rotation, translation = change(rotation, translation)
    entry.update(R=rotation.tolist(), t=translation.tolist())
    path.write_text(json.dumps(content))


def find_frame(folder):
    parsers = pairing.read_cameras(folder)
    taken = [views.read_view(folder / name, parsers[name], SIZE) for name in parsers]
    frame = views.find_frame(taken, keep_frame=False)
    return frame, views.make_cameras(taken, frame)


class TestProgram:
    @pytest.fixture
    def run(self, masks, monkeypatch, capsys):
        frames = [Image.new("L", (4, 4), level) for level in (0, 255)]
        monkeypatch.setattr(turntable, "draw", lambda *_: frames)  # slow to compile

        def call(*words):
            options = ["--size", "16", "--steps", "40", "--no-compilation-cache"]
            sets = ["--set", *QUICK, "render.sigma=3e-4"]
            code = fit_run.main([*map(str, words), *options, *sets])
            captured = capsys.readouterr()
            return code, captured.out, captured.err

        return call

    def test_writes_a_mesh_in_the_world_of_the_cameras(self, run, masks, tmp_path):
        pixels = np.asarray(Image.open(masks / "2.png"))
        red = np.stack([pixels, 0 * pixels, pixels // 2, pixels], axis=-1)
        Image.fromarray(red).save(masks / "2.png")
        out = tmp_path / "out" / "egg.glb"
        code, printed, _ = run(masks, "--cameras", masks, "--out", out, "--color")
        assert code == 0 and str(out) in printed and "mean" in printed
        assert "5 of 6 files have no colours" in printed
        found = load_mesh(out)
        vertices, texture = np.asarray(found.vertices), found.texture
        assert isinstance(texture, VertexColors)
        middle = (vertices.min(0) + vertices.max(0)) / 2
        np.testing.assert_allclose(middle, picture_folders.CENTER, atol=0.2)
        longest, middle, shortest = np.ptp(vertices, axis=0)
        assert 3.2 > longest > middle > 1.2 * shortest > 1
        np.testing.assert_allclose(
            texture.values[:, :3], np.tile([1, 0, 0.5], (42, 1)), atol=0.03
        )
        with Image.open(out.with_name("egg_turntable.gif")) as animation:
            assert getattr(animation, "n_frames") == 2  # noqa: B009

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (["--out", "a.fbx"], "must name a mesh file"),
            (["--out", "a.stl", "--color"], "a.stl cannot hold colours"),
            (["--out", "MASKS/a.glb"], "would lie among the masks"),
            (["--out", "MASKS/1.png/a.glb"], "1.png: a file has the name of a folder"),
            (["--out", "a.glb", "loop.png"], "loop.png"),
            (["--out", "a.glb", "--color"], "0.png is a mask alone"),
            (["--out", "a.glb", "none.png"], "no file none.png"),
            (["--out", "a.glb", "--steps", "0"], "number of steps"),
            (["--out", "a.glb", "--views", "3"], "--views is for a data set"),
            (["--out", "a.glb", "--config", "demo"], "MASK is for masks"),
            (["--out", "a.glb", "--keep-frame"], "does not see the middle"),
        ],
    )
    def test_refuses(self, words, message, masks, tmp_path, monkeypatch, capsys):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "loop.png").symlink_to("loop.png")
        words = [word.replace("MASKS", str(masks)) for word in words]
        words = [str(masks), "--cameras", str(masks / "cameras.json"), *words]
        try:
            code = fit_run.main([*words, "--no-compilation-cache"])
        except SystemExit as exit:
            code = exit.code
        error = capsys.readouterr().err
        assert code == 2 and message in error.splitlines()[-1]
        assert not (tmp_path / "a.glb").exists()


@pytest.mark.parametrize(
    ("steps", "iou", "advice"),
    [
        (5, 0.3, "0.png: 5 steps are few; take the 1000 of the default,"),
        (1000, 0.3, "0.png: check the masks and cameras, or fit without."),
        (5, 0.9, None),
    ],
)
def test_advice_on_views_that_do_not_fit(steps, iou, advice):
    mesh, cameras = icosphere(0), perspective_camera((0.0, 0.0, 3.0))
    values = np.array([iou, 0.9])
    paths = [Path("0.png"), Path("1.png")]
    fit = masks.MaskFit(mesh, paths, values, cameras, ["A note."])
    console = terminal.make_console(file=(printed := io.StringIO()), width=200)
    fit_run._print_fit(fit, steps, console)
    text = printed.getvalue()
    assert "A note." in text
    assert advice in text if advice else "does not fit" not in text


class TestCheckOut:
    def test_takes_a_file_beside_the_cameras(self, masks):
        scene = masks.parent  # the folder of --cameras
        check_out(scene / "egg.glb", [masks], [scene], color=False)

    def test_refuses_to_replace_a_picture(self, masks):
        pictures = [masks / "egg_turntable.gif"]
        with pytest.raises(terminal.ProgramError, match="would be replaced"):
            check_out(masks / "egg.glb", [], pictures, color=False)


@pytest.mark.slow
def test_views_that_do_not_fit_are_named(masks):
    # two masks change their cameras
    change_camera(masks, 1, lambda *_: picture_folders.pose(60, 50))
    moved = json.loads((masks / "cameras.json").read_text())["pictures"]
    moved["1.png"], moved["3.png"] = moved["3.png"], moved["1.png"]
    (masks / "cameras.json").write_text(json.dumps({"pictures": moved}))
    fit = masks_fit(masks)
    assert fit.low.any() and fit.iou.shape == (6,)
    whole = fit._replace(iou=np.full(6, 0.9))
    assert not whole.low.any()
    assert fit._replace(iou=np.array([0.9] * 5 + [0.65])).low.tolist() == [
        False
    ] * 5 + [True]


def masks_fit(folder):
    return masks.fit_masks(
        [folder], folder / "cameras.json", Options(steps=40), SETTINGS, size=SIZE
    )


class TestFindFrame:
    def test_is_the_box_of_the_object(self, masks):
        frame, cameras = find_frame(masks)
        np.testing.assert_allclose(frame.middle, picture_folders.CENTER, atol=0.25)
        assert frame.longest == pytest.approx(3, rel=0.15)
        assert cameras.position.shape == (6, 3)
        corner = frame.to_world(np.full((1, 3), 0.5))
        np.testing.assert_allclose(corner[0], frame.middle + frame.longest / 2)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda r, t: (r, t + np.array([4, 0, 0])), "check 1.png, or leave it"),
            (lambda r, t: (np.diag([-1, 1, -1]) @ r, t * [-1, 1, -1]), "check 1.png"),
            (lambda r, _: (r, -r @ picture_folders.CENTER), "1.png lies within the ob"),
        ],
    )
    def test_names_a_camera_that_is_wrong(self, change, message, masks):
        change_camera(masks, 1, change)
        with pytest.raises(terminal.ProgramError, match=message):
            find_frame(masks)

    def test_names_images_that_cut_the_object_off(self, masks, monkeypatch):
        mask = np.asarray(Image.open(masks / "3.png"))
        middle = np.flatnonzero(mask.any(0)).mean().astype(int)
        Image.fromarray(np.roll(mask, -middle, axis=1)).save(masks / "3.png")
        monkeypatch.setattr(carving, "find_box", lambda _: (np.zeros(3), np.ones(3)))
        monkeypatch.setattr(carving, "find_inside", lambda _: [1])
        with pytest.raises(terminal.ProgramError, match="off in 1 of 6"):
            find_frame(masks)

    def test_refuses_an_object_that_float32_does_not_resolve(self, masks):
        def move(rotation, translation):
            return rotation, translation - rotation @ np.array([0, 5e6, 0])

        for number in range(6):
            change_camera(masks, number, move)
        with pytest.raises(terminal.ProgramError, match="lies 5e[+]06 from the origin"):
            find_frame(masks)

    def test_one_direction_does_not_tell_the_size(self, masks):
        view = read(masks)
        with pytest.raises(terminal.ProgramError, match="within 30 degrees"):
            views.find_frame([view, view], keep_frame=False)
        assert views.find_frame([view], keep_frame=True).longest == 1


def noise(mask, *shape):
    return np.random.default_rng(0).integers(0, 256, (*mask.shape, *shape), np.uint8)


class TestReadView:
    @pytest.mark.parametrize(
        ("change", "name"),
        [
            (lambda mask: Image.fromarray(mask.astype(np.uint16) * 257), "1.png"),
            (lambda mask: Image.fromarray(mask // 255), "1.png"),
            (lambda mask: Image.fromarray(np.float32(mask / 255)), "1.tif"),
            (lambda mask: Image.fromarray(mask).convert("1"), "1.png"),
            (lambda mask: Image.fromarray(mask).convert("P"), "1.png"),
            (lambda mask: Image.fromarray(mask).convert("CMYK"), "1.tif"),
            (lambda mask: Image.fromarray(np.dstack([mask * 0 + 255, mask])), "1.png"),
            (lambda mask: Image.fromarray(np.dstack([mask * 0] * 3 + [mask])), "1.png"),
        ],
    )
    def test_masks_of_every_kind_are_the_same(self, change, name, masks):
        expected = read(masks).image[..., 3]
        mask = np.asarray(Image.open(masks / "1.png"))
        change(mask).save(masks / name)
        np.testing.assert_allclose(read(masks, name).image[..., 3], expected, atol=1e-6)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda mask: 0 * mask, "it is empty"),
            (lambda mask: 0 * mask + 255, "it is full"),
            (lambda mask: 255 - mask, "invert the mask"),
            (noise, "neither dark nor bright"),
            (lambda mask: noise(mask, 3), "neither a grey mask nor a picture"),
            (
                lambda mask: np.pad(mask[16:19, 20:24], ((9, 28), (9, 35))),
                "4 pixels long",
            ),
            (lambda mask: np.dstack([mask, 0 * mask]), "its mask is empty"),
        ],
    )
    def test_refuses(self, change, message, masks):
        mask = np.asarray(Image.open(masks / "1.png"))
        Image.fromarray(change(mask)).save(masks / "1.png")
        with pytest.raises(terminal.ProgramError, match=message) as caught:
            read(masks)
        assert str(masks / "1.png") in str(caught.value)

    def test_refuses_damaged_files(self, masks):
        for content in (b"", b"\x89PNG\r\n\x1a\nxx"):
            (masks / "1.png").write_bytes(content)
            with pytest.raises(terminal.ProgramError, match="is damaged"):
                read(masks)

    def test_notes_what_the_border_cuts_off(self, masks):
        mask = np.asarray(Image.open(masks / "1.png"))
        Image.fromarray(mask[:, 24:]).save(masks / "1.png")
        assert "cuts the object off" in read(masks).notes[0]
