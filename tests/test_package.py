"""The public names, the direction of imports, and what an import costs."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import jaxsoftras

ROOT = Path(__file__).parents[1]

# modules may import from lower levels, and within their own package
LEVELS = {
    "arguments": 0,
    "checks": 0,
    "config": 0,
    "conorm": 0,
    "distributions": 0,
    "gather": 0,
    "geometry": 0,
    "lighting": 0,
    "topology": 0,
    "pose": 1,
    "probability": 1,
    "texture": 1,
    "camera": 2,
    "kernels": 2,
    "mesh": 2,
    "attributes": 3,
    "conventions": 3,
    "implementations": 3,
    "losses": 3,
    "meshfile": 3,
    "normals": 3,
    "subdivision": 3,
    "surface_sampling": 4,
    "visibility": 3,
    "voxels": 3,
    "data": 3,
    "models": 3,
    "fragments": 4,
    "rasterization": 4,
    "shapes": 4,
    "renderer": 5,
    "datasets": 5,
    "training": 5,
    "checkpoint": 5,
    "evaluation": 6,
    "gallery": 6,
    "monitor": 6,
}
PROGRAMS = {"kernels/bench.py"}  # run by users, imported by nobody
HEAVY = {
    "flax": {"models", "training"},
    "optax": {"training"},
    "orbax": {"checkpoint"},
    "tensorflow_datasets": {"data"},
    "tensorboardX": {"monitor"},
    "trimesh": {"meshfile"},
}


def modules():
    for path in sorted((ROOT / "jaxsoftras").rglob("*.py")) + sorted(
        (ROOT / "kernels").glob("*.py")
    ):
        name = path.relative_to(ROOT).as_posix().removeprefix("jaxsoftras/")
        yield name, ast.parse(path.read_text())


def imported(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_imports_point_one_way():
    seen = set()
    for name, tree in modules():
        part = name.split("/")[0].removesuffix(".py")
        if part == "__init__" or name in PROGRAMS:
            continue
        seen.add(part)
        for target in imported(tree):
            package, _, rest = target.partition(".")
            if package == "jaxsoftras":
                other = rest.split(".")[0]
                assert other == part or LEVELS[other] < LEVELS[part], (
                    f"{name}: {target}"
                )
            assert part in HEAVY.get(package, {part}), f"{name}: {target}"
    assert seen == set(LEVELS)


def test_public_names():
    public = {name for name in vars(jaxsoftras) if not name.startswith("_")}
    names = {
        "AmbientLight",
        "Camera",
        "Conorm",
        "DEFAULT_LIGHTS",
        "DirectionalLight",
        "Distribution",
        "FaceColors",
        "FaceLight",
        "Fragments",
        "Material",
        "Mesh",
        "PointLight",
        "Settings",
        "SurfaceTexture",
        "UVTexture",
        "VertexColors",
        "camera_from_axes",
        "eye_from_angles",
        "face_normals",
        "face_vertices",
        "find_fragments",
        "from_blender",
        "from_opencv",
        "from_opengl",
        "from_pytorch3d",
        "icosphere",
        "illuminate",
        "interpolate",
        "load_mesh",
        "look_at",
        "orthographic_camera",
        "perspective",
        "perspective_camera",
        "project",
        "rasterize",
        "render",
        "rotation_from_axis_angle",
        "sample_points",
        "save_mesh",
        "silhouette",
        "stack_meshes",
        "subdivide",
        "to_blender",
        "to_opencv",
        "to_opengl",
        "to_pytorch3d",
        "vertex_normals",
    }
    assert names <= public
    submodules = {p.stem for p in (ROOT / "jaxsoftras").iterdir()} | {"kernels"}
    assert public - names <= submodules


@pytest.mark.parametrize("module", ["jaxsoftras", "jaxsoftras.data"])
def test_import_stays_light(module):
    code = (
        f"import sys, {module}\n"
        "heavy = {'flax', 'optax', 'orbax', 'tensorflow', 'tensorflow_datasets', 'PIL',"
        " 'trimesh', 'rich', 'matplotlib'}\n"
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr


def test_kernels_are_found_below_the_package_only():
    import jaxsoftras.kernels.silhouette_xla as module

    assert module.__name__ == "jaxsoftras.kernels.silhouette_xla"
    assert (ROOT / "jaxsoftras" / "kernels").is_symlink()
