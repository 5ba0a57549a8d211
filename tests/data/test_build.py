"""Whole builds: packing, resuming, parts, and what they refuse."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jaxsoftras.data import accelerated_meshes, build_object, build_pool, description
from jaxsoftras.data.__main__ import main
from jaxsoftras.data.build import Report, build
from jaxsoftras.data.build_object import Options, make_object
from jaxsoftras.data.npz import inspect_npz, open_npz
from jaxsoftras.data.split import SPLITS
from tests.support.mesh_folders import ball, wedge, write

QUICK = Options(views=2, size=8, elevation=10.0, resolution=8)


@pytest.fixture(scope="module")
def meshes(tmp_path_factory) -> Path:
    """Two categories of sound meshes, and a broken one."""
    folder = tmp_path_factory.mktemp("meshes")
    names = ["my mugs/train/a.obj", "my mugs/train/b c.off", "my mugs/test/é.ply"]
    write(folder, dict.fromkeys(names, wedge(2.0)))
    write(folder, {f"bowl/{split}/a.off": ball() for split in SPLITS})
    (folder / "bowl" / "test" / "broken.obj").write_text("v 0 0 0\n")
    return folder


def make(meshes: Path, out: Path, options: Options = QUICK, **more) -> Report:
    return build(meshes, out, options, **more)


def arrays(folder: Path) -> dict[str, bytes]:
    return {
        path.name: np.load(path)["arr_0"].tobytes() for path in folder.glob("*.npz")
    }


@pytest.fixture(scope="module")
def built(meshes, tmp_path_factory) -> tuple[Path, Report]:
    out = tmp_path_factory.mktemp("built") / "set"
    return out, make(meshes, out)


def test_data_set(built, meshes):
    out, report = built
    assert report.complete and report.total == 6
    assert report.counts["my mugs"] == {"train": 2, "val": 0, "test": 1}
    [(file, reason)] = report.left_out
    assert file == "bowl/test/broken.obj" and "no faces" in reason
    assert not (out / ".partial").exists()

    split = open_npz(out, "train")
    assert split.categories == ("bowl", "my mugs")
    assert (split.num_views, split.image_size) == (2, 8)
    expected, _ = make_object(meshes / "my mugs" / "train" / "b c.off", QUICK)
    shown = split.images("my mugs", np.array([1, 1]), np.arange(2))
    np.testing.assert_array_equal(shown, expected.views)
    assert (shown[:, 3] > 0).any((1, 2)).all() and expected.voxels.any()
    grid = split.voxels("my mugs", np.array([1]))[0]
    np.testing.assert_array_equal(grid, expected.voxels)
    assert {k: set(v) for k, v in inspect_npz(out).items()}["val"] == {"bowl"}


def test_description(built):
    about = description.read(built[0])
    assert about is not None
    assert about.categories == {"bowl": "bowl", "my mugs": "my mugs"}
    assert about.objects["my mugs"]["test"] == [
        {"name": "é", "file": "my mugs/test/é.ply"}
    ]
    assert about.content["camera"] == {
        "kind": "orbit",
        "distance": 2.732,
        "elevation": 10.0,
        "azimuth_step": -180.0,
        "half_fov": 15.0,
        "views": 2,
        "handedness": "left",
    }
    assert about.content["image_size"] == 8 and "mirror" in about.content["frame"]
    made_by = about.content["made_by"]
    assert (made_by["up"], made_by["front"], made_by["resolution"]) == ("+Y", "+Z", 8)
    assert made_by["left_out"][0][0] == "bowl/test/broken.obj"


def test_renderer_of_jax_is_named_and_draws_the_same(
    built, meshes, tmp_path, monkeypatch
):
    monkeypatch.setattr(accelerated_meshes, "_FACES", 128)
    monkeypatch.setattr(accelerated_meshes, "_VIEWS", 2)
    options = dataclasses.replace(QUICK, renderer="jax")
    report = make(meshes, tmp_path / "set", options)
    assert report.left_out == built[1].left_out
    about = description.read(tmp_path / "set")
    assert about is not None and about.content["made_by"]["renderer"] == "jax"
    for path in built[0].glob("*.npz"):
        ours, expected = (
            np.load(p)["arr_0"] for p in (tmp_path / "set" / path.name, path)
        )
        np.testing.assert_allclose(ours, expected, atol=16)
        assert np.mean(ours != expected) < 0.01
    with pytest.raises(FileExistsError, match="another renderer"):
        make(meshes, tmp_path / "part", options, shard=(1, 9))
        make(meshes, tmp_path / "part")


def test_interrupted_builds_resume(built, meshes, tmp_path, monkeypatch):
    done = []

    def interrupt(count, total):
        done.append(count)
        if count == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make(meshes, tmp_path / "set", progress=interrupt)
    assert done == [0, 1, 2, 3] and not list((tmp_path / "set").glob("*.npz"))
    seen = []
    report = make(meshes, tmp_path / "set", progress=lambda *n: seen.append(n))
    assert report.made == 4 and seen == [(n, 7) for n in range(3, 8)]
    assert arrays(tmp_path / "set") == arrays(built[0])


def test_a_full_disk_ends_a_build_that_resumes(built, meshes, tmp_path, monkeypatch):
    def fill(path, **arrays):
        Path(path).write_bytes(b"PK")
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    with monkeypatch.context() as patched:
        patched.setattr(np, "savez_compressed", fill)
        with pytest.raises(OSError, match="No space left"):
            make(meshes, tmp_path / "set")
    assert make(meshes, tmp_path / "set").complete
    assert arrays(tmp_path / "set") == arrays(built[0])


def test_meshes_that_were_mended_are_made_again(meshes, tmp_path):
    root = Path(shutil.copytree(meshes, tmp_path / "meshes"))
    make(root, tmp_path / "set", shard=(1, 1))
    broken = root / "bowl" / "test" / "broken.obj"
    write(broken.parent, {"broken.obj": wedge()})
    report = make(root, tmp_path / "set")
    assert report.made == 1 and report.total == 7 and not report.left_out


@pytest.mark.parametrize("renderer", ["numpy", "jax"])
@pytest.mark.parametrize("change", ["come", "gone", "other"])
def test_meshes_whose_materials_change_are_made_again(change, renderer, tmp_path):
    options = dataclasses.replace(QUICK, renderer=renderer)
    path = tmp_path / "meshes" / "mug" / "train" / "a.obj"
    write(path.parent, {"a.obj": wedge(), "b.off": ball()})
    library, image = path.with_suffix(".mtl"), path.with_name("a.png")
    path.write_text("mtllib a.mtl\nusemtl m\n" + path.read_text())
    library.write_text("newmtl m\nmap_Kd a.png\n")
    if change != "come":
        Image.new("RGB", (2, 2)).save(image)
    make(path.parents[2], tmp_path / "set", options, shard=(1, 1))
    again = make(path.parents[2], tmp_path / "set", options, shard=(1, 1))
    assert not again.made
    if change == "gone":
        image.unlink()
    else:
        Image.new("RGB", (3, 3)).save(image)
    assert make(path.parents[2], tmp_path / "set", options).made == 1


def test_lack_of_memory_is_not_kept(meshes, tmp_path, monkeypatch):
    def fail(*_):
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr(build_object, "make_object", fail)
        report = make(meshes, tmp_path / "set", shard=(1, 1))
    assert {reason for _, reason in report.left_out} == {
        "it needs more memory than there is"
    }
    assert make(meshes, tmp_path / "set").total == 6


def test_objects_that_were_deleted_are_made_again(built, meshes, tmp_path, monkeypatch):
    make(meshes, tmp_path / "set", shard=(1, 1))
    kept = tmp_path / "set" / ".partial"
    next(kept.glob("*.npz")).unlink()
    report = make(meshes, tmp_path / "set")
    assert report.made == 1 and arrays(tmp_path / "set") == arrays(built[0])

    def pack(*_):
        """Another build packs and deletes the objects just before this one."""
        shutil.rmtree(kept)
        yield from ()

    make(meshes, tmp_path / "set", shard=(1, 1))
    monkeypatch.setattr(build_pool, "run_all", pack)
    with pytest.raises(FileNotFoundError, match="another build has packed this folder"):
        make(meshes, tmp_path / "set")


def test_parts_by_several_programs(built, meshes, tmp_path):
    parts = [make(meshes, tmp_path / "set", shard=(n, 3)) for n in (3, 1, 2)]
    assert [part.made for part in parts] == [2, 3, 2]
    assert not any(part.complete for part in parts)
    report = make(meshes, tmp_path / "set")
    assert report.complete and report.made == 0
    assert report.left_out == built[1].left_out
    assert arrays(tmp_path / "set") == arrays(built[0])


_run = build_pool.run


def _die(task: build_pool.Task) -> build_pool.Outcome:
    """Kills the process for one of the meshes, as a system without memory does."""
    if task.source.name == "b c.off":
        os._exit(1)
    return _run(task)


@pytest.mark.slow
def test_processes_that_die_take_no_other_object_along(
    built, meshes, tmp_path, monkeypatch
):
    monkeypatch.setattr(build_pool, "run", _die)
    report = make(meshes, tmp_path / "set", jobs=2)
    assert report.total == 5 and report.complete
    assert [file for file, reason in report.left_out if "died" in reason] == [
        "my mugs/train/b c.off"
    ]
    # by whatever process, the others are made the same
    expected, found = arrays(built[0]), arrays(tmp_path / "set")
    assert expected.keys() == found.keys()
    assert {name for name in found if found[name] != expected[name]} == {
        "my mugs_train_images.npz",
        "my mugs_train_voxels.npz",
    }


def test_complete_data_sets_are_replaced_and_others_are_not(built, meshes, tmp_path):
    out = Path(shutil.copytree(built[0], tmp_path / "set"))
    root = write(
        tmp_path / "meshes", {"cup/train/a.obj": ball(), "cup/style/b.obj": wedge()}
    )
    expected = {"train": 1, "val": 0, "test": 0, "style": 1}
    assert make(root, out).counts == {"cup": expected}
    assert {path.name for path in out.iterdir()} == {
        "dataset.json",
        *(f"cup_{s}_{k}.npz" for s in ("train", "style") for k in ("images", "voxels")),
    }
    assert open_npz(out, "style").count("cup") == 1
    content = json.loads((out / "dataset.json").read_text())
    (out / "dataset.json").write_text(json.dumps({**content, "made_by": "another"}))
    with pytest.raises(FileExistsError, match=r"other files .* such as cup_style"):
        make(root, out)
    (out / "dataset.json").write_text(json.dumps(content))
    (out / "mine.txt").touch()
    with pytest.raises(FileExistsError, match=r"other files .* such as mine.txt"):
        make(root, out)
    with pytest.raises(FileExistsError, match="is not a folder"):
        make(root, out / "mine.txt")


def test_complete_data_sets_of_other_options_are_not_replaced(built, meshes, tmp_path):
    out = Path(shutil.copytree(built[0], tmp_path / "set"))
    other = dataclasses.replace(QUICK, views=3, up="+Z", front="-Y")
    message = "with another views and up and front: use the same, remove it, or choose"
    for more in ({}, {"shard": (1, 9)}):
        with pytest.raises(FileExistsError, match=message):
            make(meshes, out, other, **more)
    with pytest.raises(FileExistsError, match="with another splits"):
        make(meshes, out, fractions=(0, 0, 1))
    assert arrays(out) == arrays(built[0]) and not (out / ".partial").exists()
    assert make(meshes, out).made == 7


def test_other_options_do_not_mix(meshes, tmp_path):
    make(meshes, tmp_path / "set", shard=(1, 9))
    for options in (Options(size=16), Options(up="+Z", front="-Y")):
        with pytest.raises(FileExistsError, match=r"built with another .*(size|up)"):
            make(meshes, tmp_path / "set", options)
    (tmp_path / "set" / ".partial" / "settings.json").write_text("{")
    with pytest.raises(FileExistsError, match="delete .*partial"):
        make(meshes, tmp_path / "set")


def test_damaged_or_pickled_objects_are_refused(meshes, tmp_path):
    make(meshes, tmp_path / "set", shard=(1, 1))
    for content in (b"PK\3\4", pickle.dumps({"images": [1]})):
        for path in (tmp_path / "set" / ".partial").glob("*.npz"):
            path.write_bytes(content)
        with pytest.raises(ValueError, match="is damaged: delete it and"):
            make(meshes, tmp_path / "set")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"jobs": 0}, "^There must be at least one process, not 0.$"),
        ({"shard": (0, 2)}, "^Parts are numbered .* no part 0 of 2.$"),
        ({"shard": (3, 2)}, "^Parts are numbered .* no part 3 of 2.$"),
        ({"fractions": (1, 1, 0)}, "add up to 1"),
    ],
)
def test_arguments_are_checked(more, message, meshes, tmp_path):
    with pytest.raises(ValueError, match=message):
        make(meshes, tmp_path / "set", **more)
    assert not (tmp_path / "set").exists()


def test_the_data_set_does_not_lie_among_the_meshes(meshes):
    with pytest.raises(ValueError, match="must not lie among the meshes"):
        make(meshes, meshes / "set")


def run(meshes: Path, out: Path, *words: str) -> int:
    options = ["--views", "2", "--size", "8", "--jobs", "1", *words]
    return main(["build", "--meshes", str(meshes), "--out", str(out), *options])


def test_command(meshes, tmp_path, capsys):
    about = tmp_path / "about.json"
    entry = {"file": "my mugs/test/é.ply", "license": "CC0-1.0", "author": "me"}
    about.write_text(json.dumps([entry, {"file": "cup/c.obj", "license": "MIT"}]))
    words = ["--metadata", str(about), "--front=-Z"]
    assert run(meshes, tmp_path / "set", "--shard", "1/2", *words) == 0
    assert "Part 1 of 2 has 4 objects" in capsys.readouterr().out
    assert run(meshes, tmp_path / "set", *words) == 0
    shown = capsys.readouterr()
    assert "bowl/test/broken.obj" in shown.out and "has no faces" in shown.out
    assert "6 objects are in" in shown.out and "2 left out, see above" in shown.out
    assert "cup/c.obj" in shown.out and "no such mesh" in shown.out
    assert "Without an object in val: my mugs." in shown.out
    assert shown.err == "Building: 7 in all\n"
    content = json.loads((tmp_path / "set" / "dataset.json").read_text())
    item = {**entry, "name": "é"}
    assert content["objects"]["my mugs"]["test"] == [item]
    assert content["made_by"]["front"] == "-Z"


def test_nothing_to_build_is_exit_code_1(tmp_path, capsys):
    for name in ("[red].obj", "\x1b[31m\n:car:.obj"):
        path = tmp_path / "meshes" / "mug" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert run(tmp_path / "meshes", tmp_path / "set") == 1
    shown = capsys.readouterr().out
    assert "Nothing could be built; 2 left out" in shown and "[red].obj" in shown
    # nothing in a name is read as a style, an emoji or a control sequence
    assert r"\x1b[31m\n:car:.obj" in shown
    assert run(tmp_path / "nowhere", tmp_path / "set") == 2
    # a part may have none; a job array goes on
    assert run(tmp_path / "meshes", tmp_path / "set", "--shard", "1/2") == 0


def test_parts_are_named_by_two_numbers(meshes, tmp_path, capsys):
    with pytest.raises(SystemExit):
        run(meshes, tmp_path / "set", "--shard", "2")
    assert "'2' is not I/N" in capsys.readouterr().err


def test_real_meshes(shared):
    """Silhouettes and voxels against those of real13, made by another program."""
    data = shared / "data"
    objects = json.loads((data / "real13" / "objects.json").read_text())
    places = {
        entry["mesh"]: (synset, split, number)
        for synset, splits in objects.items()
        for split in SPLITS
        for number, entry in enumerate(splits[split])
    }
    samples = json.loads((data / "meshes" / "samples" / "samples.json").read_text())
    silhouettes, grids = [], []
    for sample in samples[::6]:
        synset, split, number = places[sample["index"]]
        truth = open_npz(data / "real13", split, [synset])
        path = data / "meshes" / "samples" / sample["file"]
        example, notes = make_object(path, Options())
        assert not notes
        views = np.arange(24)
        expected = truth.images(synset, np.full(24, number), views)[:, 3] / 255
        alpha = example.views[:, 3] / 255
        overlap = np.minimum(alpha, expected).sum() / np.maximum(alpha, expected).sum()
        silhouettes.append(overlap)
        solid = truth.voxels(synset, np.array([number]))[0]
        grids.append((solid & example.voxels).sum() / (solid | example.voxels).sum())
    assert min(silhouettes) > 0.999 and np.mean(grids) > 0.97
