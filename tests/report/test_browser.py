"""The page in a browser: it draws, turns, fits, and asks for nothing."""

import time

import numpy as np
import pytest

from jaxsoftras import report
from tests.support import browser, report_files

DRAWN = "document.querySelector('#viewer[open]')?.ariaBusy === 'false'"
CHARTS = "document.querySelectorAll('.chart > .plot-container').length === 4"
NASTY = "<img src=x onerror='window.injected = 1'>"
RANKS = ["best", "median", "worst"]


def write_report(workdir, names: dict[str, str]):
    """Writes a report whose last category has no voxels."""
    *keys, last = names
    solid = report_files.make_examples(keys, RANKS)
    flat = report_files.make_examples([last], RANKS, has_voxels=False)
    shown = [np.concatenate(pair) for pair in zip(solid, flat, strict=True)]
    shown = solid._make(shown)._replace(faces=solid.faces)
    shown = shown._replace(objects=np.arange(len(shown.objects), dtype=np.int32))
    return report.write(report_files.write_run(workdir, names, shown), "test")


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A browser that shows a report."""
    folder = tmp_path_factory.mktemp("browser")
    names = {"k": "mug", "n": NASTY, "long": "x" * 100}
    path = write_report(folder / "a run", names)
    with browser.start(folder / "profile") as started:
        started.open(path, 500, 600)
        started.wait(CHARTS)
        yield started


@pytest.fixture(autouse=True)
def no_problems(page):
    yield
    problems = page.problems[:]
    page.problems.clear()
    assert not problems


@pytest.fixture
def viewer(page):
    """The page with the 3D view of its first object."""
    page.show(500, 600)
    page.evaluate("document.querySelector('button[data-scene]').focus()")
    page.press("Enter")
    yield page
    page.evaluate("document.getElementById('viewer').close()")


def press_button(page, name: str) -> None:
    page.evaluate(f"document.querySelector('[data-do={name}]').click()")


def see(page, pane: str) -> np.ndarray:
    """Pixels of a pane once its solid is drawn."""
    page.wait(DRAWN)
    return page.screenshot(f"#viewer-{pane}").astype(int)


def wait_for_solid(page, pane: str) -> np.ndarray:
    """Pixels of a pane once its solid is on the screen."""
    for _ in range(100):  # the compositor lags behind by some frames
        pixels = see(page, pane)
        if differ(pixels, pixels[len(pixels) // 2, :1]) > 300:
            return pixels
        time.sleep(0.02)
    pytest.fail(f"nothing is seen in the {pane}")


def wait_for_change(page, before: dict[str, np.ndarray], *, back: bool = False) -> None:
    """Waits until all panes look different from before, or alike again."""
    for pane, pixels in before.items():
        for _ in range(100):
            changed = differ(pixels, see(page, pane))
            if changed < 20 if back else changed > 100:
                break
            time.sleep(0.02)
        else:
            pytest.fail(f"{changed} pixels of the {pane} have changed")


def differ(first: np.ndarray, second: np.ndarray) -> int:
    return int(np.count_nonzero(np.abs(first - second).max(-1) > 30))


@pytest.mark.parametrize(
    ("width", "dark"), [(320, True), (390, False), (390, True), (1280, False)]
)
def test_fits_the_width(page, width, dark):
    page.show(width, 800, dark)
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    paper = page.screenshot()[0, 0]
    assert (paper.max() < 60) if dark else (paper.min() > 240)


def test_names_are_not_run(page):
    assert NASTY in page.evaluate("document.querySelector('main').innerText")
    assert page.evaluate("window.injected") is None


def test_solids_draw_and_turn_together(viewer):
    before = {pane: wait_for_solid(viewer, pane) for pane in ("mesh", "reference")}
    x, y, width, height = viewer.box("#viewer-mesh")
    middle = x + width / 2, y + height / 2
    viewer.drag(middle, (middle[0] + 90, middle[1] + 20))
    wait_for_change(viewer, before)
    press_button(viewer, "reset")
    wait_for_change(viewer, before, back=True)


def test_keys_turn_and_close(viewer):
    before = {"mesh": wait_for_solid(viewer, "mesh")}
    title = viewer.evaluate("document.activeElement.innerText")
    assert title == "mug, best: object 0"
    for key, back in (("ArrowLeft", "ArrowRight"), ("+", "-"), ("ArrowUp", "0")):
        viewer.press(key)
        wait_for_change(viewer, before)
        viewer.press(back)
        wait_for_change(viewer, before, back=True)
    viewer.press("Escape")
    assert not viewer.evaluate("document.getElementById('viewer').open")
    focused = viewer.evaluate("document.activeElement.dataset.scene")
    assert focused == "object-0"


def test_without_voxels_there_is_one_solid(viewer):
    press_button(viewer, "previous")  # the last one
    wait_for_solid(viewer, "mesh")
    assert viewer.box("#viewer-reference")[2] == 0
    message = viewer.evaluate("document.getElementById('viewer-message').innerText")
    assert "no true voxels" in message
    press_button(viewer, "next")
    wait_for_solid(viewer, "reference")
    assert viewer.evaluate("document.querySelectorAll('dialog canvas').length") == 2


@pytest.mark.slow  # the test before opens three
def test_walking_through_objects_keeps_two_contexts(page, tmp_path):
    names = {str(number): f"kind {number}" for number in range(8)}
    page.open(write_report(tmp_path / "run", names), 500, 600)
    page.evaluate("document.querySelector('button[data-scene]').click()")
    before = {"mesh": wait_for_solid(page, "mesh")}
    for _ in range(24):  # browsers allow 8 to 16 contexts
        press_button(page, "next")
        page.wait(DRAWN)
    wait_for_change(page, before, back=True)
    title = page.evaluate("document.getElementById('viewer-title').innerText")
    assert title == "kind 0, best: object 0"
    assert page.evaluate("document.querySelectorAll('dialog canvas').length") == 2


def test_a_script_of_somebody_else_does_not_run(page):
    page.evaluate(f'document.body.insertAdjacentHTML("beforeend", "{NASTY}")')
    page.evaluate(
        "script = document.createElement('script');"
        "script.textContent = 'window.injected = 1'; document.body.append(script)"
    )
    assert page.evaluate("window.injected") is None
    assert page.evaluate("fetch('data:,x').catch(() => 'refused')") == "refused"
    refused = [text for text in page.problems if "Content Security Policy" in text]
    assert len(refused) >= 3
    page.problems.clear()
