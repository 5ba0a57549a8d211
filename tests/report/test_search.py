"""The page about a search for hyperparameters."""

import re
from typing import Any

import numpy as np
import pytest

pytest.importorskip("plotly")

from jaxsoftras import report
from jaxsoftras.report import search

SPACE = {
    "optim.learning_rate": "1e-4..1e-3:log",
    "model.hidden": "(8,8)|(16,)",
    "optim.beta1": "0.5..0.9",
    "optim.schedule": "piecewise|<b>cosine</b>",
}


def make_trial(number: int, state: str, course: list, **changes) -> dict:
    values = {
        "optim.learning_rate": 1e-4 * (number + 1),
        "model.hidden": "(8,8)",
        "optim.beta1": 0.7,
        "optim.schedule": "<b>cosine</b>",
    }
    score = max((score for _, score in course), default=None)
    return {"number": number, "state": state, "score": score, "course": course} | {
        "values": values,
        "reason": "",
        **changes,
    }


TRIALS = [
    make_trial(0, "complete", [[10, 0.2], [20, 0.4]]),
    make_trial(1, "pruned", [[10, 0.1]]),
    make_trial(2, "failed", [[10, 0.3]], reason="Step 12 gave a loss of nan."),
    make_trial(3, "complete", [[10, 0.5], [20, 0.3]]),
    make_trial(4, "failed", []),
    make_trial(5, "running", [[10, 0.9]]),
    make_trial(6, "waiting", [], values={}),
    make_trial(7, "complete", [[10, 0.1], [20, 0.2]]),
]
RESULTS = {
    "measure": "iou",
    "part": "35 of 35 objects, 4 of 24 views",
    "steps": 20,
    "space": SPACE,
    "importance": {"optim.learning_rate": 0.75, "model.hidden": 0.25},
    "trials": TRIALS,
}


def points(figure: Any, name: str) -> list[tuple]:
    (trace,) = (trace for trace in figure.data if trace.name == name)
    return list(zip(trace.x, trace.y, strict=True))


class TestHistory:
    figure: Any = search.draw_history(TRIALS, "voxel IoU")

    def test_shows_complete_and_pruned_trials_apart(self):
        assert points(self.figure, "complete") == [(0, 0.4), (3, 0.5), (7, 0.2)]
        assert points(self.figure, "pruned") == [(1, 0.1)]

    def test_the_best_so_far_never_falls(self):
        assert points(self.figure, "best so far") == [(0, 0.4), (3, 0.5), (7, 0.5)]

    def test_failures_are_marked(self):
        assert sorted(line.x0 for line in self.figure.layout.shapes) == [2, 4]


def test_courses_are_those_of_complete_and_pruned_trials():
    figure: Any = search.draw_courses(TRIALS, "voxel IoU")
    courses = {trace.name: list(trace.y) for trace in figure.data}
    assert courses == {
        "trial 1 (pruned)": [0.1],
        "trial 0 (complete)": [0.2, 0.4],
        "trial 3 (complete)": [0.5, 0.3],
        "trial 7 (complete)": [0.1, 0.2],
    }


def test_each_field_has_a_chart_with_its_kind_of_axis():
    figure: Any = search.draw_fields(TRIALS, SPACE, "voxel IoU")
    assert len(figure.data) == 2 * len(SPACE)
    axes = [figure.layout[f"xaxis{number}"].type for number in ("", 2, 3, 4)]
    assert axes == ["log", "category", None, "category"]
    pruned = [trace for trace in figure.data if trace.name == "pruned"]
    np.testing.assert_allclose(list(pruned[0].x), [2e-4])
    assert list(pruned[1].x) == ["(8,8)"] and list(pruned[1].y) == [0.1]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"trials": []},
        {"trials": [TRIALS[6]], "importance": {}},
        {"trials": TRIALS[1:3], "importance": {}},
        {"space": {"optim.beta1": "0.5..0.9"}, "measure": "silhouette_iou"},
        {"part": ""},
    ],
)
def test_any_search_has_a_page(tmp_path, changes):
    path = report.write_search(tmp_path, "Search <i>&\n", {**RESULTS, **changes})
    page = path.read_text(encoding="utf-8")
    assert "<title>Search &lt;i&gt;&amp;\\n</title>" in page
    assert "<b>" not in re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    assert not re.search(r"""<(?:script|link|img)[^>]+(?:src|href)=["']http""", page)
    assert ("Importance" in page) == bool({**RESULTS, **changes}["importance"])


def test_markup_in_values_is_text():
    figures = (
        search.draw_history(TRIALS, "IoU"),
        search.draw_courses(TRIALS, "IoU"),
        search.draw_fields(TRIALS, SPACE, "IoU"),
    )
    for figure in figures:
        text = str(figure.to_json())
        assert "cosine" in text and "\\u003cb\\u003e" not in text
