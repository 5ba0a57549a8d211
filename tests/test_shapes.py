from __future__ import annotations

import functools
import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from jaxsoftras import camera
from jaxsoftras.data.categories import CATEGORIES
from jaxsoftras.shapes import __main__ as command
from jaxsoftras.shapes import dataset, placement, polygons, solids
from jaxsoftras.shapes.catalogue import GENERATORS, make_shape
from jaxsoftras.shapes.cubes import voxel_surface
from jaxsoftras.shapes.zbuffer import LIGHT, project, render, view_eyes
from jaxsoftras.voxels import voxelize

REAL = Path(__file__).parents[2] / "shared" / "data" / "real13"
TWO = {"03001627": 4, "04379243": 3}  # chairs and tables
FRONT = np.array([0.0, 0.0, -2.732])


def edge_counts_match(faces: np.ndarray) -> bool:
    starts, ends = faces.astype(int), np.roll(faces, -1, 1).astype(int)
    size = faces.max() + 1
    forward, backward = starts * size + ends, ends * size + starts
    return np.array_equal(np.sort(forward, None), np.sort(backward, None))


def component_volumes(solid: placement.Solid) -> np.ndarray:
    label = np.arange(len(solid.vertices))
    while True:
        lower = label.copy()
        for k in range(3):
            np.minimum.at(lower, solid.faces[:, k], label[solid.faces].min(1))
        if np.array_equal(lower, label):
            break
        label = lower
    a, b, c = np.moveaxis(solid.vertices[solid.faces], 1, 0)
    parts = np.sum(a * np.cross(b, c), -1) / 6
    component = label[solid.faces[:, 0]]
    return np.bincount(component, parts)[np.unique(component)]


def assert_proper(solid: placement.Solid) -> None:
    assert solid.vertices.dtype == np.float64 and solid.faces.dtype == np.int32
    assert np.isfinite(solid.vertices).all()
    assert edge_counts_match(solid.faces)
    assert component_volumes(solid).min() > 0


L_SHAPE = [(0, 0), (2, 0), (2, 1), (1, 1), (1, 3), (0, 3)]
RING = [(1, 0), (2, 0), (2, 1), (1, 1)]


@pytest.mark.parametrize(
    ("solid", "volume"),
    [
        (solids.box((1, 2, 3), (5, 5, 5)), 6.0),
        (solids.extrude(L_SHAPE, 2, axis="x"), 8.0),
        (solids.extrude(L_SHAPE, 2, axis="y"), 8.0),
        (solids.extrude(L_SHAPE[::-1], 2, axis="z"), 8.0),
        (solids.cylinder(1, 3, sides=200), 3 * np.pi),
        (solids.cylinder(1, 3, top_radius=0, sides=200), np.pi),
        (solids.lathe(RING, sides=200, closed=True), 3 * np.pi),
        (solids.superellipsoid((1, 2, 3), sides=80, rings=61), np.pi),
        (solids.tube([(0, 0, 0), (0, 2, 0)], 1.0, sides=200), 2 * np.pi),
        (solids.beam((1, 0, 0), (4, 4, 0), 0.5, 0.2), 0.5),
        (solids.tapered_box((2, 2), (0, 0), 3), 4.0),
        (placement.mirror(solids.box((1, 1, 1), (1, 1, 1)), "z"), 1.0),
        (placement.radial_copies(solids.box((1, 1, 1), (3, 0, 0)), 5), 5.0),
    ],
)
def test_solids_are_closed_outward_and_have_their_volume(solid, volume):
    assert_proper(solid)
    np.testing.assert_allclose(placement.volume(solid), volume, rtol=3e-3)


def test_bevels_stay_within_the_extents():
    solid = solids.box((1, 2, 3), bevel=0.1)
    assert_proper(solid)
    np.testing.assert_allclose(np.ptp(solid.vertices, 0), (1, 2, 3))
    assert placement.volume(solid) < 6


def test_rotation_is_right_handed():
    solid = placement.Solid(np.eye(3), np.array([[0, 1, 2]], np.int32))
    turned = placement.rotate(solid, "y", 90).vertices
    np.testing.assert_allclose(turned, [(0, 0, -1), (0, 1, 0), (1, 0, 0)], atol=1e-12)


def test_triangulation_of_a_concave_polygon_keeps_its_area():
    corners = np.array(L_SHAPE, float)
    triangles = corners[polygons.triangulate(corners)]
    areas = [polygons.signed_area(triangle) for triangle in triangles]
    assert min(areas) > 0 and sum(areas) == pytest.approx(4)
    with pytest.raises(ValueError, match="cross itself"):
        polygons.triangulate([(0, 0), (1, 1), (1, 0), (0, 1)])


@pytest.mark.parametrize("category", CATEGORIES.values())
def test_every_part_is_closed_and_outward(category):
    shapes = set()
    for seed in range(12):
        parts = GENERATORS[category](np.random.default_rng(seed))
        assert len(parts) >= 2
        for solid in parts.values():
            assert_proper(solid)
        faces = sum(len(solid.faces) for solid in parts.values())
        assert faces <= 1500
        shapes.add((tuple(parts), faces))
    assert len(shapes) >= 4  # the structure varies, not only the sizes


@pytest.mark.parametrize("synset", CATEGORIES)
def test_shapes_are_normalized_and_repeatable(synset):
    shape, again = make_shape(synset, 5, 2), make_shape(synset, 5, 2)
    for first, second in zip(shape, again, strict=True):
        assert first.tobytes() == second.tobytes()
    low, high = shape.vertices.min(0), shape.vertices.max(0)
    np.testing.assert_allclose(low, -high, atol=1e-12)
    assert np.max(high - low) == pytest.approx(1, abs=1e-12)
    assert shape.colors.shape == shape.faces.shape
    assert 0 <= shape.colors.min() and shape.colors.max() <= 1
    other = make_shape(synset, 6, 2)
    assert other.vertices.tobytes() != shape.vertices.tobytes()


def test_camera_is_that_of_the_library():
    points = np.random.default_rng(0).uniform(-0.5, 0.5, (50, 3))
    for k in (0, 1, 7, 17):
        eye = camera.eye_from_angles(2.732, 30.0, -15.0 * k)
        np.testing.assert_allclose(view_eyes()[k], eye, atol=1e-5)
        expected = camera.project(camera.perspective_camera(eye), jnp.asarray(points))
        np.testing.assert_allclose(project(points, eye), expected, atol=1e-5)


def reference(vertices, faces, eye, size, colors):
    """One sample a pixel, one pixel and one triangle at a time."""
    picture = np.zeros((4, size, size))
    corners = project(vertices, eye)[faces]
    for row, column in np.ndindex(size, size):
        x, y = (2 * column + 1 - size) / size, (size - 1 - 2 * row) / size
        nearest = np.inf
        for k, triangle in enumerate(corners):
            matrix = np.stack([triangle[:, 0], triangle[:, 1], np.ones(3)])
            weights = np.linalg.solve(matrix, (x, y, 1.0))
            if weights.min() < 0:
                continue
            depth = 1 / np.sum(weights / triangle[:, 2])
            if depth < nearest:
                nearest = depth
                a, b, c = vertices[faces[k]]
                normal = np.cross(b - a, c - a)
                cosine = abs(normal @ LIGHT) / np.linalg.norm(normal)
                picture[:3, row, column] = colors[k] * (0.5 + 0.5 * cosine)
                picture[3, row, column] = 1
    return np.floor(picture * 255 + 0.5).astype(np.uint8)


def test_renderer_equals_a_slow_loop():
    rng = np.random.default_rng(3)
    vertices = rng.uniform(-0.6, 0.6, (36, 3))
    faces = np.arange(36).reshape(-1, 3)
    colors = rng.uniform(0, 1, (12, 3))
    eye = np.array([1.0, 1.2, -2.0])
    picture = render(
        vertices, faces, eye, image_size=24, supersampling=1, colors=colors
    )
    expected = reference(vertices, faces, eye, 24, colors)
    assert 100 < np.count_nonzero(expected[3]) < 24 * 24
    np.testing.assert_array_equal(picture, expected)


def test_supersampling_is_the_mean_of_the_samples():
    shape = make_shape("03001627", 0)
    eye = view_eyes()[3]
    fine = render(*shape[:2], eye, image_size=128, supersampling=1, closed=True)
    coarse = render(*shape[:2], eye, image_size=32, supersampling=4, closed=True)
    mean = fine.reshape(4, 32, 4, 32, 4).mean((2, 4))
    np.testing.assert_allclose(coarse, mean, atol=1.01)


def test_coverage_of_a_square_and_of_a_ball():
    # a square across the axis, in camera space from -a to a at depth 2.732
    a = 0.4
    square = np.array([(-a, -a, 0), (a, -a, 0), (a, a, 0), (-a, a, 0)])
    faces = np.array([(0, 1, 2), (0, 2, 3)])
    half = a / (2.732 * np.tan(np.deg2rad(15)))
    alpha = render(square, faces, FRONT, supersampling=8)[3] / 255
    assert alpha.mean() == pytest.approx(half**2, rel=0.01)
    assert alpha[32, 32] == 1 and alpha[0, 0] == 0
    np.testing.assert_array_equal(alpha, alpha[::-1])

    ball = solids.superellipsoid((0.8, 0.8, 0.8), sides=96, rings=65)
    alpha = render(*ball, FRONT, closed=True)[3] / 255
    apparent = np.tan(np.arcsin(0.4 / 2.732)) / np.tan(np.deg2rad(15))
    assert alpha.mean() == pytest.approx(np.pi * apparent**2 / 4, rel=0.01)


def test_image_axes_and_shading():
    red, green = np.eye(3)[0], np.eye(3)[1]
    right = solids.box((0.2, 0.2, 0.2), (0.4, 0, 0))
    above = solids.box((0.2, 0.2, 0.2), (0, 0.4, 0))
    vertices, faces = placement.join(right, above)
    colors = np.repeat([red, green], 12, 0)
    picture = render(vertices, faces, FRONT, colors=colors, closed=True)
    shade = 255 * (0.5 + 0.5 * abs(LIGHT[2]))
    assert picture[0, 32, 32 + 17] == pytest.approx(shade, abs=1)  # +x is to the right
    assert picture[1, 32 - 17, 32] == pytest.approx(shade, abs=1)  # +y is up
    assert not picture[:, 32, 32 - 17].any() and not picture[:, 32 + 17, 32].any()
    assert np.all(picture[:3] <= picture[3])  # colours are multiplied by coverage
    assert len(np.unique(picture[3])) > 3  # edges are anti-aliased


def test_nearer_surfaces_hide_farther_ones_in_any_order():
    near = solids.box((0.3, 0.3, 0.1), (0, 0, -0.3))
    far = solids.box((0.8, 0.8, 0.1), (0, 0, 0.3))
    names = {"near": (near, (1, 0, 0)), "far": (far, (0, 0, 1))}
    pictures = []
    for order in (("near", "far"), ("far", "near")):
        vertices, faces = placement.join(*(names[name][0] for name in order))
        colors = np.repeat([names[name][1] for name in order], 12, 0)
        for closed in (False, True):
            pictures.append(
                render(vertices, faces, FRONT, colors=colors, closed=closed)
            )
    for picture in pictures:
        assert picture[0, 32, 32] > 0 and picture[2, 32, 32] == 0
        assert picture[2, 32, 46] > 0 and picture[0, 32, 46] == 0
        np.testing.assert_array_equal(picture, pictures[0])


def test_renderer_refuses_what_reaches_the_camera():
    with pytest.raises(ValueError, match="move the eye further away"):
        render(*solids.box((1, 1, 1)), (0, 0, -0.4))


def test_padding_does_not_change_the_voxels():
    vertices, faces, _ = make_shape("03636649", 1)
    plain = jax.jit(voxelize)(jnp.asarray(vertices, jnp.float32), jnp.asarray(faces))
    padded = dataset.solid_voxels(vertices, faces)
    assert len(faces) % dataset.FACES_STEP and len(vertices) < len(faces)
    np.testing.assert_array_equal(padded, plain)


def test_voxel_surface_encloses_exactly_the_cells():
    occupied = np.random.default_rng(0).random((32, 32, 32)) < 0.1
    surface = voxel_surface(occupied)
    assert edge_counts_match(surface.faces)
    cell = 1 / 31
    assert placement.volume(surface) == pytest.approx(occupied.sum() * cell**3)

    one = np.zeros((32, 32, 32), bool)
    one[20, 3, 31 - 10] = True  # x 3, y 20, z 10
    corners = voxel_surface(one).vertices
    expected = (np.array([3.5, 20.5, 10.5]) / 32 - 0.5) * 32 / 31
    np.testing.assert_allclose(corners.mean(0), expected)


def silhouette_scores(images: np.ndarray, voxels: np.ndarray) -> np.ndarray:
    """How the voxels seen in each view match the pictures.

    Returns: IoU with the picture, with it mirrored, with the next view's, and the
    fraction of the picture that the voxels cover; means over objects and some views.
    """
    scores = []
    for pictures, occupied in zip(images, voxels, strict=True):
        surface = voxel_surface(occupied)
        for k in (1, 5, 9, 14, 20):
            drawn = (
                render(*surface, view_eyes()[k], supersampling=1, closed=True)[3] > 0
            )
            mask, following = pictures[[k, (k + 1) % 24], 3] > 127
            row = [
                np.sum(drawn & other) / np.sum(drawn | other)
                for other in (mask, mask[:, ::-1], following)
            ]
            scores.append([*row, np.sum(drawn & mask) / np.sum(mask)])
    return np.mean(scores, 0)


def check_silhouettes(files: list[Path], minimum: float) -> None:
    scores = []
    for path in files:
        images = np.load(path)["arr_0"][:2]
        voxels = np.load(str(path).replace("images", "voxels"))["arr_0"][:2]
        scores.append(silhouette_scores(images, voxels))
    same, mirrored, following, covered = np.mean(scores, 0)
    assert covered > 0.97  # thin rods between lattice lines leave no voxels
    assert same > minimum
    assert same > mirrored + 0.15 and same > following + 0.05


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    root = tmp_path_factory.mktemp("shapes") / "two"
    dataset.write_dataset(root, objects_per_category=TWO, seed=1)
    return root


def test_silhouettes_agree_with_the_voxels(small):
    check_silhouettes(sorted(small.glob("*train_images.npz")), 0.6)


@pytest.mark.skipif(not REAL.is_dir(), reason="the shared real13 data is not here")
def test_real_data_has_the_same_views_and_axes():
    check_silhouettes(sorted(REAL.glob("*_test_images.npz")), 0.7)


def test_files_follow_the_format(small):
    stems = {f"{s}_{split}" for s in TWO for split in ("train", "val", "test")}
    names = {f"{stem}_{kind}.npz" for stem in stems for kind in ("images", "voxels")}
    assert {path.name for path in small.iterdir()} == names | {dataset.DESCRIPTION}
    counts = {}
    for stem in stems:
        images = np.load(small / f"{stem}_images.npz")["arr_0"]
        voxels = np.load(small / f"{stem}_voxels.npz")["arr_0"]
        assert images.dtype == np.uint8 and images.shape[1:] == (24, 4, 64, 64)
        assert voxels.dtype == bool and voxels.shape[1:] == (32, 32, 32)
        assert len(images) == len(voxels)
        assert images.any((2, 3, 4)).all() and voxels.any((1, 2, 3)).all()
        counts[stem] = len(images)
    assert [counts[f"03001627_{s}"] for s in ("train", "val", "test")] == [2, 1, 1]
    description = json.loads((small / dataset.DESCRIPTION).read_text())
    assert description["seed"] == 1 and description["objects"] == TWO


def test_same_bytes_again_and_more_objects_keep_the_earlier_ones(small, tmp_path):
    # the pictures' bytes do not depend on the size of the set or on the order of work
    dataset.write_dataset(tmp_path / "again", objects_per_category=TWO, seed=1)
    for path in small.iterdir():
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes()
    more = {"04379243": 5}
    dataset.write_dataset(tmp_path / "more", objects_per_category=more, seed=1)
    for kind in ("images", "voxels"):
        name = f"04379243_train_{kind}.npz"
        few = np.load(small / name)["arr_0"]
        many = np.load(tmp_path / "more" / name)["arr_0"]
        assert len(many) == 3
        np.testing.assert_array_equal(many[: len(few)], few)


def test_ensure_keeps_what_is_there_and_refuses_other_arguments(small, monkeypatch):
    monkeypatch.setattr(dataset, "write_dataset", None)  # would fail if called
    dataset.ensure_dataset(small, objects_per_category=TWO, seed=1)
    with pytest.raises(FileExistsError, match="another seed"):
        dataset.ensure_dataset(small, objects_per_category=TWO, seed=2)
    with pytest.raises(FileExistsError, match="another objects"):
        dataset.ensure_dataset(small, objects_per_category=3, seed=1)


@pytest.fixture
def quick(monkeypatch):
    """Replaces the making of objects, which these tests do not look at."""

    def example(synset, index, *, seed, image_size):
        return np.full((24, 4, 2, 2), seed, np.uint8), np.zeros((32, 32, 32), bool)

    monkeypatch.setattr(dataset, "_make_example", example)
    return functools.partial(dataset.write_dataset, objects_per_category=TWO)


def test_an_older_data_set_is_replaced_and_other_folders_are_not(quick, tmp_path):
    root = tmp_path / "set"
    root.mkdir()
    quick(root)
    seen = []
    quick(root, seed=7, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(k + 1, 7) for k in range(7)]
    assert np.load(root / "03001627_val_images.npz")["arr_0"].max() == 7
    assert [path.name for path in tmp_path.iterdir()] == ["set"]

    (root / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="1 others added"):
        quick(root)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").write_text("mine")
    with pytest.raises(FileExistsError, match="not an embedded data set"):
        quick(tmp_path / "other")
    with pytest.raises(FileExistsError, match="not an embedded data set"):
        quick(root / "notes.txt")
    assert (root / "notes.txt").exists() and (tmp_path / "other/thesis.tex").exists()


def test_a_failure_leaves_nothing_behind(quick, tmp_path, monkeypatch):
    def broken(synset, index, **_):
        if index == 2:
            raise OSError("no space left on device")
        return np.zeros((24, 4, 2, 2), np.uint8), np.zeros((32, 32, 32), bool)

    root = tmp_path / "set"
    quick(root, seed=7)
    monkeypatch.setattr(dataset, "_make_example", broken)
    for target in (root, tmp_path / "new"):
        with pytest.raises(OSError, match="no space left"):
            quick(target)
    assert [path.name for path in tmp_path.iterdir()] == ["set"]
    assert np.load(root / "03001627_val_images.npz")["arr_0"].max() == 7


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"objects_per_category": 2}, "at least 3 objects"),
        ({"objects_per_category": {}}, "at least 3 objects"),
        ({"objects_per_category": {"chair": 5}}, "unknown categories chair"),
        ({"objects_per_category": 3, "seed": -1}, "must not be negative"),
        ({"objects_per_category": 3, "image_size": 0}, "must be positive"),
    ],
)
def test_bad_arguments_are_refused(arguments, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        dataset.write_dataset(tmp_path / "set", **arguments)
    assert not list(tmp_path.iterdir())


def test_command_line(quick, tmp_path, capsys, monkeypatch):
    root = tmp_path / "set"
    assert command.main(["--out", str(root), "--objects", "3", "--seed", "4"]) == 0
    assert json.loads((root / dataset.DESCRIPTION).read_text())["seed"] == 4
    assert command.main(["--out", str(root), "--objects", "1"]) == 2
    assert "at least 3 objects" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        command.main([])
    sheet = tmp_path / "sheet.png"
    few = functools.partial(command.contact_sheet, image_size=24)
    monkeypatch.setattr(command, "contact_sheet", few)
    assert command.main(["--sheet", str(sheet)]) == 0
    with Image.open(sheet) as picture:
        assert picture.size == (8 * 24, 13 * 24)
