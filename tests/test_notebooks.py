"""The notebooks: short runs achieve their purpose, and outputs belong to the code."""

import copy
import json
import re

import numpy as np
import pytest

from jaxsoftras import looking, terminal
from tests.support import notebooks

PATHS = {path.stem: path for path in notebooks.list_notebooks()}
LARGEST = 400_000  # bytes
# paths of files, and addresses of objects
MACHINE = re.compile(r"/(home|root|tmp|usr|var|work)/|site-packages|0x[0-9a-f]{6}")


@pytest.fixture
def run(monkeypatch):
    """Runs a notebook in this process, which shows nothing; see `notebooks.run`."""
    missing = "the extra notebooks is not installed"
    matplotlib = pytest.importorskip("matplotlib", reason=missing)
    pyplot = pytest.importorskip("matplotlib.pyplot", reason=missing)
    shown = []
    monkeypatch.setattr(looking, "_find_display", lambda: shown.append)
    monkeypatch.setattr(pyplot, "show", lambda: pyplot.close("all"))

    def run(name, **parameters):
        with matplotlib.rc_context({"backend": "agg"}):
            names = notebooks.run(PATHS[name], parameters)
        assert shown, "no image was shown"
        return names

    return run


class TestShort:
    def test_deform_mesh(self, run):
        names = run("deform_mesh", LEVEL=1, POINTS=100, STEPS=80)
        before, bare, smooth = (
            names["measure"](names[mesh])[0] for mesh in ("source", "bare", "smooth")
        )
        assert max(bare, smooth) < 0.7 * before

    @pytest.mark.slow  # it renders from a batch of cameras; the one before is quicker
    def test_find_camera(self, run):
        names = run("find_camera", IMAGE_SIZE=24, STEPS=40, STARTS=6, PROFILE=5)
        assert names["angle"] < 5
        np.testing.assert_allclose(names["gradient"], names["rise"] / 0.2, rtol=0.5)

    @pytest.mark.slow  # it fits silhouettes, as tests of the prediction do
    def test_fit_mesh(self, run):
        names = run("fit_mesh", IMAGE_SIZE=24, VIEWS=4, LEVEL=1, STEPS=20)
        assert names["ious"][-1] > names["ious"][0] + 0.2
        assert names["psnrs"][-1] > names["psnrs"][0] + 1

    @pytest.mark.slow  # it trains
    def test_reconstruct(self, run):
        names = run("reconstruct", IMAGE_SIZE=16, OBJECTS=5, STEPS=20, REFINEMENT=20)
        losses = names["course"].training.values["loss"]
        assert losses[-1] < losses[0]
        refined = names["refined"]
        assert refined.iou > refined.unrefined_iou


# lines that each notebook prints, and what their numbers satisfy
RESULTS = {
    "deform_mesh": (
        r"^(sphere|alone|regularised) +distance (\S+), deviation of normals (\S+)$",
        lambda rows: (
            float(rows[2][1]) < 0.1 * float(rows[0][1])
            and float(rows[2][2]) < 0.2 * float(rows[1][2])
        ),
    ),
    "find_camera": (
        r"^(\S+) degrees from the truth$",
        lambda rows: float(rows[0]) < 1,
    ),
    "fit_mesh": (
        r"^(IoU|PSNR).*: (\S+).* before, (\S+).* after$",
        lambda rows: (
            float(rows[0][2]) > 0.94 and float(rows[1][2]) > float(rows[1][1]) + 5
        ),
    ),
    "reconstruct": (
        r"^(?:mean voxel|silhouette) IoU.*? (0\.\d+)(?: before, (0\.\d+) after)?",
        lambda rows: (
            float(rows[0][0]) > 0.35 and float(rows[-1][1]) > float(rows[-1][0]) + 0.02
        ),
    ),
}


def outputs(notebook):
    return [out for cell in notebooks.code_cells(notebook) for out in cell["outputs"]]


def check_results(name, notebook):
    """Asserts that the fit of a notebook has succeeded, by what it prints."""
    printed = "".join("".join(out.get("text", "")) for out in outputs(notebook))
    pattern, succeeds = RESULTS[name]
    assert succeeds(re.findall(pattern, printed, re.MULTILINE)), printed


@pytest.mark.parametrize("name", PATHS)
class TestCommitted:
    def test_outputs_belong_to_the_code(self, name):
        notebook = notebooks.read(PATHS[name])
        assert notebooks.is_current(notebook), (
            f"execute it again: python -m tests.support.notebooks {name}"
        )
        counts = [cell["execution_count"] for cell in notebooks.code_cells(notebook)]
        assert counts == list(range(1, len(counts) + 1))
        check_results(name, notebook)

    def test_outputs_are_whole_and_of_no_machine(self, name):
        notebook = notebooks.read(PATHS[name])
        for output in outputs(notebook):
            assert output["output_type"] in ("display_data", "execute_result", "stream")
            assert output.get("name", "stdout") == "stdout"
            assert output.get("text") or output.get("data")
            assert "image/jpeg" not in output.get("data", {})
            texts = output.get("text", ""), output.get("data", {}).get("text/plain", "")
            assert not MACHINE.search("".join(map("".join, texts)))
        images = [
            out for out in outputs(notebook) if "image/png" in out.get("data", {})
        ]
        assert len(images) >= 3
        assert PATHS[name].stat().st_size < LARGEST

    def test_begins_with_a_title_and_names_what_it_needs(self, name):
        notebook = notebooks.read(PATHS[name])
        first = notebooks.source(notebook["cells"][0])
        assert first.startswith("# ") and 'pip install "jaxsoftras[notebooks]"' in first
        assert len({cell["id"] for cell in notebook["cells"]}) == len(notebook["cells"])

    def test_links_lead_to_files(self, name):
        texts = [
            notebooks.source(cell)
            for cell in notebooks.read(PATHS[name])["cells"]
            if cell["cell_type"] == "markdown"
        ]
        for target in re.findall(r"\]\(([^)#]+)", "".join(texts)):
            assert (notebooks.FOLDER / target).is_file(), target

    @pytest.mark.slow
    def test_executes_in_a_kernel(self, name):
        pytest.importorskip("nbclient", reason="the extra dev is not installed")
        check_results(name, notebooks.execute(PATHS[name]))


def test_the_page_lists_all():
    page = (notebooks.ROOT / "docs" / "notebooks.md").read_text()
    assert PATHS and PATHS.keys() == RESULTS.keys()
    assert set(re.findall(r"\(\.\./notebooks/(\w+)\.ipynb\)", page)) == PATHS.keys()


def cell(text, *tags):
    return {
        "cell_type": "code",
        "id": f"cell-{text[0]}",
        "metadata": {"tags": list(tags)},
        "source": text.splitlines(keepends=True),
        "execution_count": None,
        "outputs": [],
    }


@pytest.fixture
def write(tmp_path):
    """Writes a notebook of code cells to a file."""

    def write(*cells):
        kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
        content = {
            "cells": list(cells),
            "metadata": {"kernelspec": kernel},
            "nbformat": 4,
            "nbformat_minor": 5,
        }
        path = tmp_path / "small.ipynb"
        path.write_text(json.dumps(content))
        return path

    return write


class TestRun:
    def test_parameters_are_replaced_after_their_cell(self, write):
        path = write(cell("n = 5\nm = 2", "parameters"), cell("k = n * m"))
        assert notebooks.run(path, {"n": 3})["k"] == 6

    def test_unknown_parameter(self, write):
        with pytest.raises(ValueError, match=r"^small.ipynb has no parameter steps\.$"):
            notebooks.run(write(cell("n = 5", "parameters")), {"steps": 3})

    @pytest.mark.parametrize("count", [0, 2])
    def test_one_cell_of_parameters(self, count, write):
        cells = [cell("a = 1"), *[cell("n = 5", "parameters")] * count]
        with pytest.raises(ValueError, match=f"has {count} cells of parameters, not 1"):
            notebooks.run(write(*cells), {})

    def test_error_names_the_cell(self, write):
        path = write(cell("n = 5", "parameters"), cell("n / 0"))
        with pytest.raises(ZeroDivisionError) as caught:
            notebooks.run(path, {})
        assert str(caught.traceback[-1].path).endswith("small.ipynb, cell 2")


class TestDigest:
    NOTEBOOK = {"cells": [cell("a = 1"), cell("b = 2")], "metadata": {}}

    def test_changes_with_the_code_alone(self):
        other = copy.deepcopy(self.NOTEBOOK)
        other["cells"][0] |= {"source": "a = 1", "execution_count": 3}
        other["cells"].insert(1, {"cell_type": "markdown", "source": "text"})
        assert notebooks.digest(other) == notebooks.digest(self.NOTEBOOK)
        other["cells"][0]["source"] = "a = 2"
        assert notebooks.digest(other) != notebooks.digest(self.NOTEBOOK)

    def test_order_counts(self):
        turned = {"cells": self.NOTEBOOK["cells"][::-1]}
        assert notebooks.digest(turned) != notebooks.digest(self.NOTEBOOK)

    def test_no_outputs_are_not_current(self):
        assert not notebooks.is_current(self.NOTEBOOK)


def test_program_names_the_notebooks(capsys):
    with pytest.raises(SystemExit):
        notebooks.main(["fit"])
    assert "there is no notebook fit; choose of deform_mesh," in capsys.readouterr().err


class TestExecute:
    @pytest.fixture(autouse=True)
    def needs_a_kernel(self):
        pytest.importorskip("nbclient", reason="the extra dev is not installed")

    def test_outputs_and_digest(self, write):
        path = write(cell("print(6 * 7)"), cell("import os\nos.listdir()"))
        notebook = notebooks.execute(path)
        assert notebooks.is_current(notebook)
        printed, listed = outputs(notebook)
        assert printed["text"] == "42\n" and listed["data"] == {"text/plain": "[]"}
        notebooks.write(path, notebook)
        written = notebooks.read(path)
        assert notebooks.is_current(written)
        assert written["cells"][1]["source"] == ["import os\n", "os.listdir()"]

    @pytest.mark.slow  # each starts a kernel
    @pytest.mark.parametrize(
        ("code", "message"),
        [
            ("1 / 0", "ZeroDivisionError"),
            ("import warnings; warnings.warn('odd')", "cell 1 writes to stderr: .*odd"),
            ("1 +", "SyntaxError"),
            ("raise SystemExit(3)", "SystemExit"),
        ],
    )
    def test_refuses_errors_and_noise(self, code, message, write):
        path = write(cell(code))
        before = path.read_bytes()
        with pytest.raises(terminal.ProgramError, match=f"(?s)small.ipynb.*{message}"):
            notebooks.execute(path)
        assert path.read_bytes() == before
