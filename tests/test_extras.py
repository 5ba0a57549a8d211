"""The renderer without the packages of the extras, and what names them."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

import jaxsoftras
from jaxsoftras import extras, terminal
from jaxsoftras.data import build, pictures, sampling
from jaxsoftras.shapes import sheet
from tests.support.base_installation import BLOCKED

ROOT = Path(__file__).parents[1]
SPHERE = jaxsoftras.icosphere(0)
# quick ones; the others are slow
CALLS = [
    "rasterization.rasterize",
    "rasterization.silhouette",
    "renderer.render",
    "meshfile.load_mesh",
]
NEED_MORE = {
    "images.save_image",
    "trimesh_conversion.from_trimesh",
    "trimesh_conversion.to_trimesh",
}
CONCAVE = "OFF\n4 1 0\n0 0 0\n2 -1 0\n0.5 0 0\n2 1 0\n4 0 1 2 3\n"
ARROW = "OFF\n5 1 0\n0 0 0\n2 -2 0\n1 0 0\n2 2 0\n1 0.5 0\n5 0 1 2 3 4\n"


def run_without_extras(*calls: str) -> dict[str, dict[str, str]]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.base_installation", *calls],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def without_extras() -> dict[str, dict[str, str]]:
    return run_without_extras(*CALLS, *NEED_MORE)


class TestBaseInstallation:
    def test_draws_and_reads_meshes(self, without_extras):
        assert without_extras["calls"] == dict.fromkeys(NEED_MORE, "MissingExtraError")

    @pytest.mark.slow
    def test_every_public_call_works_or_names_its_extra(self):
        refused = run_without_extras()["calls"]
        assert refused == dict.fromkeys(NEED_MORE, "MissingExtraError")

    def test_every_module_imports_or_names_its_extra(self, without_extras):
        refused = without_extras["imports"]
        # `report.write` names the extra before it imports the others
        pages = {name for name in refused if name.startswith("jaxsoftras.report.")}
        assert {refused.pop(name) for name in pages} == {"ModuleNotFoundError"}
        assert set(refused.values()) == {"MissingExtraError"}
        packages = {name.split(".")[1] for name in refused}
        assert packages == {
            *("data", "fitting", "models", "model_files", "prediction"),
            *("reconstruction", "torch", "viewer"),
        }
        of_data = {name for name in refused if name.startswith("jaxsoftras.data.")}
        assert all("prepared" in n or "tfds" in n or "shapenet" in n for n in of_data)


class TestTable:
    def test_is_that_of_pyproject(self):
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        listed = {
            (re.split(r"[^\w-]", line)[0].lower(), extra, "sys_platform" not in line)
            for extra in ("io", "train", "report", "tune", "view")
            for line in project["optional-dependencies"][extra]
            if not line.startswith("jaxsoftras")
        }
        known = {(p.name.lower(), *p[1:]) for p in extras.PACKAGES.values() if p.extra}
        assert known == listed

    def test_is_what_the_tests_block(self):
        assert {module.partition(".")[0] for module in extras.PACKAGES} == BLOCKED


class TestRequire:
    def test_installed_packages_are_not_imported(self):
        # but for orbax, a namespace without code of its own, and what JAX imports
        code = (
            "import sys\n"
            "from jaxsoftras import extras\n"
            "names = [n for n, p in extras.PACKAGES.items() if p.extra]\n"
            "extras.require('test', *names)\n"
            "names = {name.partition('.')[0] for name in extras.PACKAGES}\n"
            "names -= {'orbax', 'flatbuffers'}\n"
            "sys.exit(', '.join(names & set(sys.modules)) or 0)"
        )
        done = subprocess.run([sys.executable, "-c", code], cwd=ROOT)
        assert done.returncode == 0

    @pytest.mark.parametrize(
        ("absent", "message"),
        [
            (["PIL"], 'Install Pillow to x: pip install "jaxsoftras[io]".'),
            (["orbax"], 'Install orbax-checkpoint to x: pip install "jaxsoftras'),
            (["flax"], 'Install flax to x: pip install "jaxsoftras[train]".'),
            (["torch"], "Install PyTorch to x: pip install torch."),
            (
                ["rich", "trimesh", "flax"],
                'Install trimesh, flax and rich to x: pip install "jaxsoftras[train]".',
            ),
        ],
    )
    def test_names_what_is_missing(self, absent, message, monkeypatch):
        monkeypatch.delitem(sys.modules, "orbax.checkpoint", raising=False)
        for module in absent:
            monkeypatch.setitem(sys.modules, module, None)
        with pytest.raises(extras.MissingExtraError) as caught:
            names = ["PIL", "trimesh", "flax", "orbax.checkpoint", "rich"]
            extras.require("x", *names, *({"torch"} & {*absent}))
        assert str(caught.value).startswith(message)

    def test_what_windows_lacks(self, monkeypatch):
        monkeypatch.setattr(sys, "platform", "win32")
        monkeypatch.setitem(sys.modules, "array_record", None)
        with pytest.raises(extras.MissingExtraError, match="^Windows has no array-rec"):
            extras.require("read them", "array_record", "rich")


def save_textured(folder: Path) -> None:
    image = np.zeros((2, 2, 3), np.float32)
    texture = jaxsoftras.UVTexture(np.zeros((20, 3, 2), np.float32), image)
    jaxsoftras.save_mesh(folder / "a.obj", SPHERE._replace(texture=texture))


def load_textured(folder: Path) -> None:
    (folder / "a.mtl").write_text("newmtl m\nmap_Kd a.png\n")
    (folder / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (folder / "a.obj").write_text(
        "mtllib a.mtl\nv 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\nvt 1 0\nvt 0 1\nusemtl m\n"
        "f 1/1 2/2 3/3\n"
    )
    jaxsoftras.load_mesh(folder / "a.obj")


def load_concave(folder: Path) -> None:
    (folder / "a.off").write_text(CONCAVE)
    assert len(jaxsoftras.load_mesh(folder / "a.off").faces) == 2  # by a fan
    (folder / "a.off").write_text(ARROW)
    jaxsoftras.load_mesh(folder / "a.off")


def build_set(folder: Path) -> None:
    source = folder / "meshes" / "ball" / "a.obj"
    source.parent.mkdir(parents=True)
    jaxsoftras.save_mesh(source, SPHERE)
    try:
        build.build(folder / "meshes", folder / "out", build.Options(views=2, size=8))
    finally:
        assert not (folder / "out").exists()


@pytest.mark.parametrize(
    ("module", "feature"),
    [
        ("PIL", lambda f: jaxsoftras.save_image(f / "a.png", np.zeros((2, 2)))),
        ("PIL", save_textured),
        ("PIL", load_textured),
        ("PIL", build_set),
        ("PIL", lambda f: pictures.import_pictures(f, f.parent / "out")),
        ("PIL", lambda _: sheet.contact_sheet(1, image_size=8)),
        ("mapbox_earcut", load_concave),
        ("trimesh", lambda f: jaxsoftras.save_mesh(f / "a.ply", SPHERE)),
        ("trimesh", lambda f: jaxsoftras.save_mesh(f / "a.stl", SPHERE)),
        ("trimesh", lambda _: jaxsoftras.to_trimesh(SPHERE)),
        ("trimesh", lambda _: jaxsoftras.from_trimesh(None)),  # pyright: ignore
        ("grain", lambda _: sampling.view_batches(None, 1, seed=0)),  # pyright: ignore
        ("rich", lambda _: terminal.make_console()),
        ("rich", lambda _: terminal.make_table("a")),
        ("rich", lambda _: terminal.progress_bar("a").__enter__()),
    ],
)
def test_features_name_their_extra_and_write_nothing(
    module, feature, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, module, None)
    package = extras.PACKAGES[module]
    there = {"a.obj", "a.mtl", "a.png", "a.off", "meshes"}
    with pytest.raises(extras.MissingExtraError) as caught:
        feature(tmp_path)
    sentence = str(caught.value)
    assert sentence.startswith(f"Install {package.name} to ") and "\n" not in sentence
    assert sentence.endswith(f': pip install "jaxsoftras[{package.extra}]".')
    written = {path.name for path in tmp_path.iterdir()}
    assert not written if feature is save_textured else written <= there


@pytest.mark.parametrize("names", ["base,io", "nothing", "io,nothing"])
def test_figures_are_of_extras_that_there_are(names):
    """pip would only warn, and the row would be of a smaller installation."""
    done = subprocess.run(
        [sys.executable, ROOT / ".ci/install_figures.py", ROOT, "--extras", names],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2 and not done.stdout
    unknown = "base" if "base" in names else "nothing"
    assert f"there is no extra {unknown}\n" in done.stderr
