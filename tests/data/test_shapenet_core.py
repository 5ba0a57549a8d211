"""The builder of ShapeNetCore: layouts, splits, orientation, resuming."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jaxsoftras.data import build_object, build_pool, description, open_split
from jaxsoftras.data.build_object import Options
from jaxsoftras.data.shapenet_cameras import TO_MODEL
from jaxsoftras.data.shapenet_core_files import FRONTS, discover, read_splits
from tests.support.builders import check_builder
from tests.support.mesh_folders import ball, wedge, write
from tests.support.npz_files import configure
from tests.support.shapenet_files import (
    CHAIR,
    LIST,
    MODELS,
    MUG,
    make_core,
)

core = pytest.importorskip("jaxsoftras.data.shapenet_core", exc_type=ImportError)

QUICK = Options(views=2, size=16, binvox=True)


@pytest.fixture(scope="module", params=[1, 2])
def built(request, tmp_path_factory) -> tuple[int, Path, Path, Any]:
    folder = tmp_path_factory.mktemp("core")
    root, out = make_core(folder / "in", request.param), folder / "out"
    counts = {f"train_{CHAIR}": 1, f"val_{CHAIR}": 1, f"test_{MUG}": 1}
    builder = check_builder(core.ShapenetCore, out, counts, meshes=root, options=QUICK)
    return request.param, root, out, builder


def test_images_and_voxels(built):
    version, root, out, _ = built
    options = Options(views=2, size=16, front=FRONTS[version], binvox=True)
    for split, key, name in [("train", CHAIR, "a"), ("val", CHAIR, "b")]:
        path = root / key / name / MODELS[version]
        expected, notes = build_object.make_object(path, options)
        assert bool(notes) == (name == "b")  # without a binvox file
        data = open_split(configure(out, source="prepared"), split)
        found = data.images(key, np.zeros(2, int), np.arange(2))
        np.testing.assert_array_equal(found, expected.views)
        np.testing.assert_array_equal(
            data.voxels(key, np.zeros(1, int))[0], expected.voxels
        )


def test_frame_of_version_1_is_that_of_the_renderings():
    frame = build_object.find_frame(wedge(), "+Y", FRONTS[1])
    np.testing.assert_array_equal(frame.axes, TO_MODEL)


def test_frames_of_versions_differ_by_a_quarter_turn(tmp_path):
    root = write(tmp_path, {"a.obj": wedge(2.0)})
    first, second = (
        build_object.make_object(root / "a.obj", Options(24, size=16, front=front))[0]
        for front in FRONTS.values()
    )
    # the light stays where it is
    first, second = first.views[:, 3], second.views[:, 3]
    np.testing.assert_array_equal(np.roll(first, 6, 0), second)


def test_description(built):
    from jaxsoftras.data.prepared import inspect_prepared

    version, _, out, builder = built
    about, _ = inspect_prepared(out)
    assert about is not None and about == description.parse(about.content, "here")
    assert about.categories == {CHAIR: "chair", MUG: "mug"}
    [mug] = about.objects[MUG]["test"]
    assert mug["name"] == "c" and mug["file"] == f"{MUG}/c/{MODELS[version]}"
    [note] = mug["notes"]
    assert note == "its voxels are made from the mesh: there is no binvox file"
    made_by = about.content["made_by"]
    assert made_by["source"] == f"ShapeNetCore v{version}"
    assert made_by["front"] == FRONTS[version]
    assert [text for _, text in builder.report.left_out] == [
        "it has no model.obj or models/model_normalized.obj",
        "the list of splits does not name them",
        "the list of splits names them, and they are not there",
    ]


def test_interrupted_build_is_resumed(tmp_path, monkeypatch):
    from jaxsoftras.data.prepared_builder import write as write_set

    root = make_core(tmp_path / "in", 1)
    run, made = build_pool.run, []

    def run_two(task):
        if len(made) == 2:
            raise KeyboardInterrupt
        made.append(task)
        return run(task)

    monkeypatch.setattr(build_pool, "run", run_two)
    arguments = {"meshes": root, "options": QUICK}
    with pytest.raises(KeyboardInterrupt):
        write_set(core.ShapenetCore, tmp_path / "out", **arguments)
    assert [path.name for path in (tmp_path / "out").iterdir()] == [".shapenet_core"]
    monkeypatch.setattr(build_pool, "run", run)
    builder = write_set(core.ShapenetCore, tmp_path / "out", **arguments)
    assert (builder.report.made, builder.report.total) == (1, 3)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["shapenet_core"]


def test_nothing_to_build(tmp_path):
    from jaxsoftras.data.prepared_builder import write as write_set

    with pytest.raises(FileNotFoundError, match="no folder .*Register at https://shap"):
        write_set(core.ShapenetCore, tmp_path / "out", meshes=tmp_path / "in")
    folder = tmp_path / "in" / CHAIR / "a"
    folder.mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match="has no models SYNSET/ID/model.obj or"):
        write_set(core.ShapenetCore, tmp_path / "out", meshes=tmp_path / "in")
    (folder / "model.obj").write_text("v 0 0 0\n")
    with pytest.raises(ValueError, match="No model could be built; .*a/model.obj: c"):
        write_set(core.ShapenetCore, tmp_path / "out", meshes=tmp_path / "in")


class TestDiscovery:
    def test_splits_without_a_list(self, tmp_path):
        root = make_core(tmp_path, 2)
        found = discover(root, None).found
        assert len(found.objects) == 4
        again = discover(root, None, (0, 0, 1)).found
        assert {model.split for model in again.objects} == {"test"}

    def test_name_that_is_no_id(self, tmp_path):
        make_core(tmp_path, 1)
        write(tmp_path, {f"{CHAIR}/é/model.obj": ball()})
        left_out = discover(tmp_path, None).found.left_out
        assert (f"{CHAIR}/\\xe9", "its name is not an ID") in left_out

    def test_both_versions(self, tmp_path):
        make_core(tmp_path, 1)
        write(tmp_path, {f"{CHAIR}/z/{MODELS[2]}": ball()})
        with pytest.raises(ValueError, match=f"{MUG}/c is of version 1, {CHAIR}/z of"):
            discover(tmp_path, None)

    def test_list_of_other_models(self, tmp_path):
        make_core(tmp_path, 1)
        with pytest.raises(ValueError, match="names no model in"):
            discover(tmp_path, {(CHAIR, "other"): "train"})

    @pytest.mark.parametrize(
        ("text", "name"),
        [("[]", MUG), (f'[{{"synsetId": "{MUG}", "name": "chair"}}]', MUG)],
    )
    def test_names(self, tmp_path, text, name):
        make_core(tmp_path, 1)
        (tmp_path / "taxonomy.json").write_text(text)
        assert discover(tmp_path, None).found.names[MUG] == name

    @pytest.mark.parametrize("text", ["{", '{"a": 1}', "[1]", "[{}]"])
    def test_taxonomy_that_is_none(self, tmp_path, text):
        make_core(tmp_path, 1)
        (tmp_path / "taxonomy.json").write_text(text)
        with pytest.raises(ValueError, match=r"taxonomy.json is not ShapeNet's"):
            discover(tmp_path, None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no column modelId"),
        (LIST.replace("modelId", "model"), "has no column modelId"),
        (LIST.replace("val", "valid"), "line 3 names no model in train, val, test"),
        (LIST + f"5,{CHAIR},1\n", "line 6 names no model"),
        (LIST + f"5,{CHAIR},1,a,test\n", f"has {CHAIR}/a in two splits"),
        ("id\0,\n", "is not a list of splits"),
    ],
)
def test_lists_that_are_none(tmp_path, text, message):
    (tmp_path / "all.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_splits(tmp_path / "all.csv")
