import json
import shutil

import numpy as np
import pytest

from jaxsoftras import config, data
from jaxsoftras.data.build import build
from jaxsoftras.data.build_object import Options
from jaxsoftras.reconstruction import evaluation_groups, true_meshes
from jaxsoftras.shapes import catalogue
from tests.support import mesh_folders
from tests.support.small_run import CABINET


def open_truths(root, split="test", folder=None):
    described = (root / "dataset.json").exists()
    keys = () if described else (CABINET,)
    settings = config.Data(root=str(root), categories=keys)
    opened = data.open_split(settings, split)
    objects = evaluation_groups.list_objects(opened)
    return true_meshes.find_meshes(settings, opened, objects, folder)


class TestEmbedded:
    @pytest.mark.parametrize("split", data.ALL_SPLITS)
    def test_shapes_are_made_again(self, split, cabinets):
        truths = open_truths(cabinets, split)
        for number in range(2 if split == "train" else 1):
            assert truths.load(number) is not None
        assert not truths.problems

    def test_the_right_one(self, cabinets):
        mesh = open_truths(cabinets, "val").load(0)
        shape = catalogue.make_shape(CABINET, 2)  # train, test, val, ...
        assert mesh is not None
        np.testing.assert_allclose(mesh.vertices, shape.vertices, atol=1e-6)
        np.testing.assert_array_equal(mesh.faces, shape.faces)

    def test_of_another_seed_are_not_taken_for_these(self, cabinets, tmp_path):
        root = tmp_path / "data"
        shutil.copytree(cabinets, root)
        recipe = json.loads((root / "embedded.json").read_text())
        (root / "embedded.json").write_text(json.dumps({**recipe, "seed": 7}))
        truths = open_truths(root)
        assert truths.load(0) is None
        assert "its voxels are not those of the data set" in truths.problems[0]

    @pytest.mark.parametrize(
        "text", ["", "[]", "{}", '{"seed": 0, "objects": 3, "version": 2}', "\0"]
    )
    def test_a_recipe_that_says_nothing(self, text, cabinets, tmp_path):
        root = tmp_path / "data"
        shutil.copytree(cabinets, root)
        (root / "embedded.json").write_text(text)
        with pytest.raises(true_meshes.NoMeshes, match="embedded.json is damaged or"):
            open_truths(root)
        (root / "embedded.json").unlink()
        with pytest.raises(true_meshes.NoMeshes, match="holds no meshes"):
            open_truths(root)

    def test_names_no_files(self, cabinets, tmp_path):
        with pytest.raises(ValueError, match="does not name the mesh files"):
            open_truths(cabinets, folder=tmp_path)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A folder with two meshes, and the data set that is built from them."""
    folder = tmp_path_factory.mktemp("built")
    meshes = {"w/test/a.obj": mesh_folders.wedge(), "w/test/b.ply": mesh_folders.ball()}
    mesh_folders.write(folder / "meshes", meshes)
    options = Options(views=1, size=16, up="+Z", front="+Y")
    build(folder / "meshes", folder / "set", options)
    return folder


class TestBuilt:
    def test_files_are_read_as_they_were(self, folders):
        truths = open_truths(folders / "set", folder=folders / "meshes")
        meshes = [truths.load(number) for number in range(2)]
        assert not truths.problems
        assert [len(mesh.faces) for mesh in meshes if mesh] == [8, 20]
        for mesh in meshes:
            assert mesh and np.ptp(mesh.vertices, 0).max() == pytest.approx(1)

    def test_a_folder_must_be_named(self, folders):
        with pytest.raises(true_meshes.NoMeshes, match="--meshes FOLDER"):
            open_truths(folders / "set")

    def test_another_folder_is_refused(self, folders, tmp_path):
        with pytest.raises(ValueError, match=r"cannot be compared \(there is no file"):
            open_truths(folders / "set", folder=tmp_path)

    @pytest.mark.parametrize(
        ("spoil", "reason"),
        [
            (lambda path: path.unlink(), "there is no file"),
            (lambda path: path.write_bytes(b""), "cannot be read as PLY"),
            (
                lambda path: mesh_folders.write(
                    path.parent, {path.name: mesh_folders.wedge()}
                ),
                "its voxels are not",
            ),
        ],
    )
    def test_files_that_have_changed(self, spoil, reason, folders, tmp_path):
        shutil.copytree(folders / "meshes", tmp_path / "meshes")
        spoil(tmp_path / "meshes" / "w" / "test" / "b.ply")
        truths = open_truths(folders / "set", folder=tmp_path / "meshes")
        assert truths.load(1) is None and reason in truths.problems[1]
        assert truths.load(0) is not None and set(truths.problems) == {1}

    @pytest.mark.parametrize(
        "change",
        [
            {"made_by": None},
            {"made_by": {"up": "sideways"}},
            {"made_by": {"views": "many"}},
            {"objects": {"w": {"test": [{"name": "a"}, {"name": "b"}]}}},
        ],
    )
    def test_descriptions_of_other_origin(self, change, folders, tmp_path):
        shutil.copytree(folders / "set", tmp_path / "set")
        path = tmp_path / "set" / "dataset.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
        with pytest.raises(true_meshes.NoMeshes, match="holds no meshes"):
            open_truths(tmp_path / "set")
