"""The public names, the direction of imports, and what an import costs."""

import ast
import functools
import graphlib
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import jaxsoftras

ROOT = Path(__file__).parents[1]

# (who, what): no module of the former may import one of the latter
NEVER = [
    ("kernels.reference", "kernels.xla"),
    ("kernels.reference", "kernels.pallas"),
    ("kernels.xla", "kernels.pallas"),
    ("kernels.xla", "kernels.reference"),
    ("kernels.pallas", "kernels.reference"),
    ("kernels.pallas", "kernels.triton"),
    ("kernels.pallas", "kernels.mosaic"),
    ("kernels.triton", "kernels.mosaic"),
    ("kernels.mosaic", "kernels.triton"),
    ("kernels", "rasterization"),
    ("kernels", "mesh"),
    ("rasterization", "mesh"),
    ("rasterization", "renderer"),
    ("renderer", "models"),
    ("data", "renderer"),
    ("shapes", "models"),
    ("models", "rasterization"),
    ("model_files", "data"),
    ("model_files", "rasterization"),
    ("reconstruction", "prediction"),
    ("report", "models"),
    ("report", "renderer"),
    ("variations", "models"),
    ("variations", "renderer"),
    ("viewer", "reconstruction"),
]
# programs, which users run and no module imports
PROGRAMS = {
    "__main__",
    "data.__main__",
    "data.bench",
    "fitting.fit_run",
    "kernels.bench",
    "model_files.import_run",
    "prediction.predict_run",
    "report.__main__",
    "shapes.__main__",
    "torch.bench",
    "variations.vary_run",
    "viewer.view_run",
}
# each heavy dependency has one door
HEAVY = {
    "flax": {"models", "reconstruction"},
    "optax": {"fitting", "prediction", "reconstruction"},
    "orbax": {"reconstruction"},
    "grain": {"data"},
    "safetensors": {"model_files"},
    "tensorflow_datasets": {"data"},
    "tensorboardX": {"none"},  # imports PyTorch where there is one
    "jinja2": {"report"},
    "plotly": {"report"},
    "torch": {"torch"},
    "trimesh": {"meshfile", "trimesh_conversion", "trimesh_visuals", "looking"},
    "rich": {
        "terminal",
        "data",
        "fitting",
        "kernels",
        "prediction",
        "reconstruction",
    },
    "viser": {"viewer"},
    "websockets": {"viewer"},
}


@functools.cache
def modules() -> dict[str, ast.Module]:
    """Syntax trees by name below jaxsoftras, such as ``kernels.xla.blend``."""
    found = {}
    parts = {"jaxsoftras": "", "kernels": "kernels.", "configs": "configs."}
    for part, prefix in parts.items():
        folder = ROOT / part
        for path in sorted(folder.rglob("*.py")):
            relative = path.relative_to(folder)
            if relative.parts[0] in parts:
                continue  # a link, which Python 3.13 follows
            name = prefix + ".".join(relative.with_suffix("").parts)
            name = name.removesuffix("__init__").removesuffix(".")
            found[name] = ast.parse(path.read_text())
    return found


def imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@functools.cache
def graph() -> dict[str, set[str]]:
    """The modules of jaxsoftras that each of them imports."""
    trees = modules()

    def module_of(target: str) -> str | None:
        package, _, rest = target.partition(".")
        if package != "jaxsoftras":
            return None
        while rest not in trees:  # a name within a module
            rest = rest.rpartition(".")[0]
        return rest

    found = {}
    for name, tree in trees.items():
        targets = map(module_of, imports(tree))
        found[name] = {other for other in targets if other is not None} - {name}
    return found


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def test_no_module_imports_itself_through_others():
    graphlib.TopologicalSorter(graph()).prepare()  # raises CycleError, which names it


def test_imports_that_must_not_be():
    wrong = [
        f"{name} imports {other}"
        for name, others in graph().items()
        for other in others
        for who, what in NEVER
        if within(name, who) and within(other, what) and name not in PROGRAMS
    ]
    assert not wrong


def test_nothing_imports_programs():
    for name, others in graph().items():
        assert not others & PROGRAMS, name


def test_only_programs_import_the_reconstruction():
    for name, others in graph().items():
        if not within(name, "reconstruction") and name not in PROGRAMS:
            assert not any(within(other, "reconstruction") for other in others), name


def test_heavy_dependencies_have_one_door():
    for name, tree in modules().items():
        for target in imports(tree):
            doors = HEAVY.get(target.partition(".")[0])
            assert not doors or name.partition(".")[0] in doors, f"{name}: {target}"


def test_rules_are_about_modules_that_exist():
    # a backend of GPU kernels may be removed with its folder
    names = set(modules()) | {"kernels.triton", "kernels.mosaic"}
    assert {part for rule in NEVER for part in rule} | PROGRAMS <= names


def test_public_names():
    public = {name for name in vars(jaxsoftras) if not name.startswith("_")}
    names = {
        "Aggregation",
        "AmbientLight",
        "Camera",
        "Conorm",
        "DEFAULT_LIGHTS",
        "DEFAULT_MATERIAL",
        "DirectionalLight",
        "Distance",
        "Distribution",
        "FaceAttributes",
        "FaceColors",
        "FaceLight",
        "Fragments",
        "FrontFace",
        "Handedness",
        "Illumination",
        "ImageSize",
        "Implementation",
        "Interpolation",
        "Lens",
        "Light",
        "Material",
        "Mesh",
        "Output",
        "PointLight",
        "Pose",
        "Projection",
        "RasterOptions",
        "Rendering",
        "SensorFit",
        "Settings",
        "Shading",
        "SubdivisionScheme",
        "SurfacePoints",
        "SurfaceTexture",
        "Texture",
        "UVTexture",
        "VertexColors",
        "Wrap",
        "camera_from_axes",
        "camera_to_ndc",
        "eye_from_angles",
        "face_normals",
        "face_vertices",
        "find_fragments",
        "frame",
        "from_blender",
        "from_mujoco",
        "from_opencv",
        "from_opengl",
        "from_pytorch3d",
        "from_trimesh",
        "icosphere",
        "illuminate",
        "interpolate",
        "join_meshes",
        "load_mesh",
        "look_at",
        "orthographic_camera",
        "perspective",
        "perspective_camera",
        "project",
        "rasterize",
        "render",
        "rotation_from_axis_angle",
        "save_image",
        "sample_points",
        "save_mesh",
        "show",
        "silhouette",
        "stack_meshes",
        "subdivide",
        "to_blender",
        "to_mujoco",
        "to_opencv",
        "to_opengl",
        "to_pytorch3d",
        "to_trimesh",
        "unstack_meshes",
        "vertex_normals",
        "world_to_camera",
    }
    assert names <= public
    submodules = {p.stem for p in (ROOT / "jaxsoftras").iterdir()} | {"kernels"}
    assert public - names <= submodules
    assert jaxsoftras.perspective is jaxsoftras.camera_to_ndc  # its older name


def test_import_stays_light():
    code = (
        "import sys, jaxsoftras.data\n"  # which imports the package, too
        "heavy = {'flax', 'grain', 'optax', 'orbax', 'tensorflow',"
        " 'tensorflow_datasets', 'PIL', 'torch', 'trimesh', 'rich', 'matplotlib',"
        " 'plotly', 'jinja2'}\n"
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr


def test_kernels_are_found_below_the_package_only():
    import jaxsoftras.kernels.xla.blend as module

    assert module.__name__ == "jaxsoftras.kernels.xla.blend"
    assert (ROOT / "jaxsoftras" / "kernels").is_symlink()


def test_every_package_is_installed():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    listed = set(project["tool"]["setuptools"]["packages"])
    folders = {
        str(path.parent.relative_to(ROOT)).replace("/", ".")
        for top in ("jaxsoftras", "kernels", "configs")
        for path in (ROOT / top).rglob("__init__.py")
    }
    tops = ("jaxsoftras", "jaxsoftras.kernels", "jaxsoftras.configs")
    mapped = project["tool"]["setuptools"]["package-dir"]
    assert mapped == {name: name.removeprefix("jaxsoftras.") for name in tops[1:]}
    assert listed == {
        name if name.startswith("jaxsoftras") else f"jaxsoftras.{name}"
        for name in folders
    }
