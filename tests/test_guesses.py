import copy
import importlib
import inspect
import pickle
import pkgutil
import re
import sys
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

import jaxsoftras
from jaxsoftras import guesses, places

SPHERE: Any = jaxsoftras.icosphere(0)
CAMERA: Any = jaxsoftras.perspective_camera((0.0, 0.0, 3.0))
ours: Any = jaxsoftras  # unchecked names


@pytest.mark.parametrize(
    "name, message",
    [
        ("load_obj", "use load_mesh(path)."),
        ("ico_sphere", "use icosphere(level)."),
        ("Meshes", "use Mesh(vertices, faces, texture)."),
        ("FoVPerspectiveCameras", "use perspective_camera(eye, target, fov=...)."),
        ("PinholeCameraIntrinsic", "use from_opencv(K, R, t, image_size, distortion)."),
        ("rotate_translate_points", "use world_to_camera(points, eye, target)."),
        ("mesh_laplacian_smoothing", "use losses.laplacian(vertices, faces)."),
        ("stack_mesh", "did you mean stack_meshes?"),
        ("meshes", "use Mesh(vertices, faces, texture)."),
        ("knn", "use losses.nearest_points(points, targets)."),
        ("nearest_neighbours", "use losses.nearest_points(points, targets)."),
        ("Predictor", "it is jaxsoftras.prediction.Predictor."),
        ("is_watertight", "it is jaxsoftras.topology.is_watertight."),
        ("Source", "it is jaxsoftras.config.Source or jaxsoftras.data.Source."),
        ("open_splits", "did you mean jaxsoftras.data.open_split?"),
        ("uv", "jaxsoftras has no 'uv'."),
        ("answer_module", "it is jaxsoftras.guesses.answer_module."),
        ("models", "yet; import jaxsoftras.models first."),
        ("entirely_unknown", "jaxsoftras has no 'entirely_unknown'."),
    ],
)
def test_module(name, message, monkeypatch):
    monkeypatch.delattr(jaxsoftras, "models", raising=False)  # imported by others
    with pytest.raises(AttributeError, match=re.escape(message) + "$"):
        getattr(ours, name)


@pytest.mark.parametrize(
    "name, message",
    [
        ("mesh_laplacian_smoothing", "use losses.laplacian(vertices, faces)."),
        ("chamfer", "use losses.chamfer_distance(first, second)."),
        ("neg_iou_loss", "use 1 - losses.silhouette_iou(predicted, target)."),
        ("mask_iou", "use 1 - losses.silhouette_iou(predicted, target)."),
        ("iou", "use losses.silhouette_iou(predicted, target)."),
        ("ssim_loss", "use 1 - losses.ssim(predicted, target)."),
        ("mse_loss", "use jnp.mean((image - target) ** 2)."),
        ("normal_consistancy", "did you mean normal_consistency?"),
        ("ssimm", "did you mean ssim?"),
        ("entirely_unknown", "jaxsoftras.losses has no 'entirely_unknown'."),
    ],
)
def test_losses(name, message):
    with pytest.raises(AttributeError, match=re.escape(message) + "$"):
        getattr(ours.losses, name)


@pytest.mark.parametrize(
    "package, name, message",
    [
        ("losses", "knn", "use losses.nearest_points(points, targets)."),
        ("losses", "Camera", "it is jaxsoftras.Camera."),
        ("data", "load_mesh", "it is jaxsoftras.load_mesh."),
        ("data", "open_splits", "did you mean open_split?"),
        ("data", "view_batch", "did you mean ViewBatch?"),
        ("config", "Reconstructor", "it is jaxsoftras.models.Reconstructor."),
        ("report", "writes", "did you mean write?"),
        ("report", "mapping", "jaxsoftras.report has no 'mapping'."),
        ("shapes", "write_dataset", "it is jaxsoftras.shapes.dataset.write_dataset."),
        ("reconstruction", "evaluate", "evaluation_run.evaluate."),
        ("viewer", "no_module", "jaxsoftras.viewer has no 'no_module'."),
    ],
)
def test_sub_packages(package, name, message):
    module = importlib.import_module(f"jaxsoftras.{package}")
    with pytest.raises(AttributeError, match=re.escape(message) + "$"):
        getattr(module, name)


def test_every_sub_package_answers():
    for path in Path(guesses.__file__).parent.glob("*/__init__.py"):
        if path.parent.name not in ("kernels", "configs"):
            assert path.read_text().rstrip().endswith("_answer_module(__name__)"), path


@pytest.mark.parametrize("name", ["", "a.b", "..", "a b", "1", "é", "x" * 9999, "%s{}"])
def test_names_that_none_would_have(name):
    for module in (ours, ours.losses):
        assert not hasattr(module, name)


def test_places_are_found_without_imports(monkeypatch):
    before = set(sys.modules)
    found = places.find_places.__wrapped__("jaxsoftras")
    assert set(sys.modules) == before
    assert found["rasterize"] == ["jaxsoftras.rasterization", "jaxsoftras.torch"]
    assert found["Split"] == ["jaxsoftras.data"] and "_number" not in found
    assert "extras" not in found and "Path" not in found


def test_places_in_packages_that_cannot_be_read(tmp_path, monkeypatch):
    (tmp_path / "pack" / "sub").mkdir(parents=True)
    for name, text in (
        ("__init__", ""),
        ("good", "def f(): pass\nclass C: pass\ndef _g(): pass\nasync def h(): pass"),
        ("broken", "def f(:"),
        ("binary", "def f(): pass\0"),
        ("sub/__init__", "from a import b as c\nfrom a.b import d as e, _f\nimport g"),
        ("sub/inner", "def unseen(): pass"),
    ):
        (tmp_path / "pack" / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    assert places.find_places.__wrapped__("pack") == {
        **{"f": ["pack.good"], "C": ["pack.good"], "h": ["pack.good"]},
        "e": ["pack.sub"],
    }
    assert places.find_places.__wrapped__("pack.good") == {}


def test_import_statements_of_losses():
    with pytest.raises(ImportError, match=r"use losses\.laplacian\(vertices, faces\)"):
        exec("from jaxsoftras.losses import mesh_laplacian_smoothing")
    exec("from jaxsoftras.losses import smoothness")  # a module


def test_losses_are_found_from_the_package():
    for name in ("psnr", "f_score", "mesh_edge_loss"):
        with pytest.raises(AttributeError, match=r"; use losses\.\w+\("):
            getattr(ours, name)


@pytest.mark.parametrize(
    "ask",
    [
        lambda: ours.look_at_view_transform,
        lambda: ours.camera_position_from_spherical_angles,
        lambda: ours.perspective_camera(azim=30.0),
        lambda: ours.look_at(elev=30.0, azim=30.0),
        lambda: ours.eye_from_angles(2.7, 30.0, azim=30.0),
        lambda: CAMERA.azim,
    ],
)
def test_angles_of_pytorch3d_are_converted(ask):
    with pytest.raises((AttributeError, TypeError), match="180 - azim"):
        ask()


def test_import_statements():
    with pytest.raises(ImportError, match="use load_mesh"):
        exec("from jaxsoftras import load_obj")
    with pytest.raises(ImportError, match="cannot import name 'entirely_unknown'"):
        exec("from jaxsoftras import entirely_unknown")
    with pytest.raises(ImportError, match=r"it is jaxsoftras\.prediction\.Predictor"):
        exec("from jaxsoftras import Predictor")
    exec("from jaxsoftras import terminal")  # a module that nothing else imports
    exec("from jaxsoftras import *")
    assert not hasattr(jaxsoftras, "load_obj")


@pytest.mark.parametrize(
    "thing, name, message",
    [
        (SPHERE, "verts", "Mesh has no attribute 'verts'; use vertices."),
        (SPHERE, "verts_packed", "use vertices."),
        (SPHERE, "vertexes", "did you mean vertices?"),
        (SPHERE, "foo", "it has vertices, faces, texture."),
        (CAMERA, "R", "use axes."),
        (CAMERA, "fov", "use perspective_camera(eye, target, fov=...)"),
        (CAMERA, "cx", "use principal_point."),
        (CAMERA, "_replace", "use dataclasses.replace(value, field=...)."),
        (CAMERA, "focal_lenght", "did you mean focal_length?"),
        (jaxsoftras.Mesh, "from_obj", "use load_mesh(path)."),
        (jaxsoftras.Mesh, "load", "use load_mesh(path)."),
        (jaxsoftras.Mesh, "to_trimesh", "use to_trimesh(mesh)."),
        (jaxsoftras.Mesh, "foo", "it has vertices, faces, texture."),
        (jaxsoftras.Settings(), "sigma_val", "use sigma."),
        (jaxsoftras.UVTexture(np.ones(1), np.ones(1)), "maps", "use image."),
    ],
)
def test_attributes(thing, name, message):
    with pytest.raises(AttributeError, match=re.escape(message)):
        getattr(thing, name)
    assert not hasattr(thing, name)


@pytest.mark.parametrize(
    "call, message",
    [
        (
            lambda: ours.Mesh(verts=1, faces=1),
            "Mesh() has no argument 'verts'; use ver",
        ),
        (lambda: ours.Camera(eye=1), "use perspective_camera(eye"),
        (lambda: ours.Settings(gamma_val=1), "use gamma."),
        (lambda: ours.Settings(faces_per_pixel=1), "; leave it out: every face"),
        (lambda: ours.perspective_camera(location=1), "use eye."),
        (lambda: ours.perspective_camera(1, azimuth=1), "use eye_from_angles(dist"),
        (lambda: ours.orthographic_camera(1, fov=1), "use scale"),
        (lambda: ours.perspective_camera(1, degrees=True), "use fov in degrees, "),
        (lambda: ours.from_opencv(K=1), "no argument 'K'; use intrinsics."),
        (lambda: ours.from_opencv(1, dist_coeffs=1), "use distortion."),
        (lambda: ours.from_opencv(1, fisheye=1), 'use lens="fisheye".'),
        (lambda: ours.from_opengl(1, znear=1), "it has view, projection, kind."),
        (lambda: ours.from_pytorch3d(R=1), "use rotation."),
        (lambda: ours.from_blender(1, camera_angle_x=1), "use lens=sensor_width / "),
        (lambda: ours.camera_from_axes(R=1), "use from_opencv(K, R, t, ...) or "),
        (lambda: ours.PointLight(location=1), "use position."),
        (lambda: ours.icosphere(subdivisions=1), "use level."),
        (lambda: ours.render(1, cameras=1), "use camera."),
        (
            lambda: ours.render(1, 1, image_size=1),
            "use settings=Settings(image_size=...)",
        ),
        (lambda: ours.render(1, 1, size=1), "use settings=Settings(image_size=...)"),
        (lambda: ours.render(1, 1, setting=1), "did you mean settings?"),
        (lambda: ours.render(1, 1, foo=1), "it has mesh, camera, lights, settings"),
        (lambda: ours.rasterize(1, 1, 1, aa=1), "use supersampling."),
        (lambda: ours.load_mesh(1, load_textures=1), "; leave it out: textures"),
        (lambda: ours.UVTexture(1, 1, maps_ids=1), "use image_index."),
        (lambda: ours.FaceColors(1, alpha=1), "use transparent."),
        (lambda: ours.save_mesh(1, verts=1), "use mesh=Mesh(vertices, faces, texture)"),
        (lambda: ours.save_mesh(file_name=1, mesh=1), "use path."),
        (lambda: ours.to_trimesh(meshes=1), "use mesh."),
        (lambda: ours.from_trimesh(scene=1), "use source."),
        (lambda: ours.stack_meshes(mesh=1), "use meshes."),
        (lambda: ours.join_meshes(batch=1), "use meshes."),
        (lambda: ours.unstack_meshes(meshes=1), "use mesh."),
    ],
)
def test_keywords(call, message):
    with pytest.raises(TypeError, match=re.escape(message)):
        call()


def test_signatures_and_copies_stay():
    assert list(inspect.signature(jaxsoftras.Mesh).parameters) == list(SPHERE._fields)
    assert "image_size" in inspect.signature(jaxsoftras.Settings).parameters
    assert list(inspect.signature(jaxsoftras.render).parameters)[:2] == [
        "mesh",
        "camera",
    ]
    settings = jaxsoftras.Settings(image_size=8)
    assert copy.deepcopy(settings) == settings == pickle.loads(pickle.dumps(settings))
    loaded = pickle.loads(pickle.dumps(SPHERE))
    jax.tree.map(np.testing.assert_array_equal, loaded, SPHERE)
    assert SPHERE._replace(texture=None) is not SPHERE


def test_answers_name_what_exists():
    """Names before a bracket are public; single names belong to the owner."""
    elsewhere = {"len", "jax.device_put", "mesh._replace"}
    for owner, table in guesses.TABLE.items():
        for answer in table:
            for name in re.findall(r"([A-Za-z_][\w.]*)\(", answer):
                if name not in elsewhere and not name.startswith(("np.", "jnp.")):
                    pkgutil.resolve_name(f"jaxsoftras.{name}")
            if owner in guesses._KNOWN and answer.isidentifier():
                assert answer in guesses._KNOWN[owner], f"{owner}: {answer}"
            elif owner == "" and answer.isidentifier():
                assert any(answer in known for known in guesses._KNOWN.values()), answer


def test_no_name_of_ours_is_taken_for_a_wrong_one():
    for owner, known in guesses._KNOWN.items():
        assert not set(known) & set(guesses._inverse(owner)), owner
    assert not set(vars(jaxsoftras)) & set(guesses._inverse("jaxsoftras"))
