"""The page in a browser: it draws, steps, follows, and asks for nothing else."""

import re
import time

import numpy as np
import pytest

import jaxsoftras
from jaxsoftras.reconstruction import run_viewing
from tests.support import browser, viewed_runs

viewed_runs.require_viser()

from jaxsoftras.viewer import mesh_files  # noqa: E402
from jaxsoftras.viewer.file_list import FileList  # noqa: E402
from jaxsoftras.viewer.page import Page  # noqa: E402
from jaxsoftras.viewer.worker import Worker  # noqa: E402

# what viser's page itself logs
USUAL = re.compile(
    r"console\.log: |log: Connect|console\.warning: \['THREE\.Clock|"
    r"request: (blob:)?http://127\.0\.0\.1:"
)
SIZE = 900, 600
CARD = "document.querySelector('.jaxsoftras-card')?.innerText ?? ''"
STATUS = "document.querySelector('.jaxsoftras-status')?.innerText ?? ''"


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    with browser.start(tmp_path_factory.mktemp("browser")) as started:
        yield started


@pytest.fixture(autouse=True)
def no_problems(chromium):
    yield
    problems = [text for text in chromium.problems if not USUAL.match(text)]
    chromium.problems.clear()
    assert not problems


def see(chromium) -> np.ndarray:
    """Pixels of the 3D view."""
    chromium.evaluate("new Promise(requestAnimationFrame)")
    pixels = chromium.screenshot().astype(int)
    return pixels[200:, : pixels.shape[1] // 2]  # below viser's word on slow graphics


def wait_for(chromium, condition) -> np.ndarray:
    """Pixels of the 3D view once they fulfil a condition."""
    end = time.monotonic() + browser.TIMEOUT
    while not condition(pixels := see(chromium)):
        assert time.monotonic() < end, "the 3D view never changed"
        time.sleep(0.05)
    return pixels


def is_drawn(pixels: np.ndarray) -> bool:
    """Whether a part of the view is not white."""
    return np.mean(pixels.min(-1) < 230) > 0.02


def wait_for_change(chromium, before: np.ndarray) -> np.ndarray:
    return wait_for(
        chromium, lambda now: np.mean(np.abs(now - before).max(-1) > 20) > 0.01
    )


def wait_for_text(chromium, where: str, text: str) -> None:
    chromium.wait(f"({where}).includes({text!r})")


def test_steps_through_meshes(chromium, tmp_path):
    sphere = jaxsoftras.icosphere(2)
    flat = sphere._replace(vertices=np.asarray(sphere.vertices) * [1, 0.2, 1])
    for name, mesh in {"a <b>.off": sphere, "flat.off": flat}.items():
        jaxsoftras.save_mesh(tmp_path / name, mesh)
    paths = sorted(tmp_path.glob("*.off"))
    with Page("127.0.0.1", 0) as page:
        worker = Worker(page.report, 0.1)
        files = FileList(
            page, worker, "Mesh", paths, lambda path: mesh_files.describe(path, "+y")
        )
        with viewed_runs.working(worker, files):
            chromium.open(page.address, *SIZE)
            wait_for_text(chromium, CARD, "a <b>.off")
            round_one = wait_for(chromium, is_drawn)
            chromium.press("n")
            wait_for_text(chromium, CARD, "flat.off")
            flat_one = wait_for_change(chromium, round_one)
            assert is_drawn(flat_one)
            # the viewer looks at the file
            jaxsoftras.save_mesh(tmp_path / "flat.off", sphere)
            wait_for_change(chromium, flat_one)
            chromium.call("Page.navigate", url="about:blank")


@pytest.mark.slow  # compiles the renderer
def test_follows_a_run(chromium, cabinets, tmp_path):
    workdir = viewed_runs.write_run(tmp_path / "run", cabinets)
    run = run_viewing.open_run(workdir, None, None)
    with Page("127.0.0.1", 0) as page:
        worker = Worker(page.report, 0.1)
        viewer = run_viewing.RunViewer(page, worker, run, "train", None)
        with viewed_runs.working(worker, viewer):
            chromium.open(page.address, *SIZE)
            wait_for_text(chromium, STATUS, "waiting for the first")
            wait_for_text(chromium, CARD, "cabinet, 1 of")
            alone = wait_for(chromium, is_drawn)
            viewed_runs.save_checkpoint(workdir, 100)
            wait_for_text(chromium, STATUS, "Step 100 of 900")
            first = wait_for_change(chromium, alone)
            viewed_runs.save_checkpoint(workdir, 200)
            wait_for_text(chromium, STATUS, "Step 200 of 900")
            assert chromium.evaluate("document.querySelectorAll('figure').length") == 3
            chromium.press("n")
            wait_for_text(chromium, CARD, "cabinet, 2 of")
            wait_for_change(chromium, first)
            chromium.call("Page.navigate", url="about:blank")
