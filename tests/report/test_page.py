"""The page as a document: what it says, whom it lets in, and what it escapes."""

import base64
import hashlib
import html.parser
import json
import re
import sys
import zlib
from typing import Any

import numpy as np
import pytest

from jaxsoftras import report, terminal
from jaxsoftras.report import __main__ as program
from jaxsoftras.report import history, page, results
from tests.support import report_files

VOID = {"meta", "img", "br", "link"}
NASTY = "<script>alert(1)</script> & \"quotes\" 'x' <b>ünïcödé</b> {{ 7 * 7 }}"


class Document(html.parser.HTMLParser):
    """Elements of a page, with their attributes and text.

    Attributes:
        elements: names and attributes.
        texts: text within each kind of element, but not within others.
    """

    def __init__(self, text: str):
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self._open: list[str] = []
        self.feed(text)
        assert not self._open, f"never closed: {self._open}"

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)
            self.texts.setdefault(tag, []).append("")

    def handle_endtag(self, tag):
        assert self._open and self._open[-1] == tag, (tag, self._open)
        self._open.pop()

    def handle_data(self, data):
        if self._open:
            self.texts[self._open[-1]][-1] += data

    def find(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def make(workdir) -> str:
    return report.write(workdir, "test").read_text()


@pytest.fixture(scope="module")
def text(tmp_path_factory) -> str:
    workdir = tmp_path_factory.mktemp("page") / "run <i>&"
    return make(report_files.write_run(workdir, {"k": NASTY, "b": "zwei Wörter"}))


@pytest.fixture(scope="module")
def document(text) -> Document:
    return Document(text)


def test_holds_all_that_it_shows(text, document):
    addresses = [
        value or ""
        for _, attributes in document.elements
        for name, value in attributes.items()
        if name in ("src", "href", "srcset", "action", "data")
    ]
    assert addresses
    assert all(value.startswith(("data:image/webp", "#")) for value in addresses)
    assert "@import" not in text and not re.search(r"url\(", text)
    assert len(text) < 4e6


def test_runs_its_own_scripts_only(text, document):
    policy = next(
        attributes["content"] or ""
        for attributes in document.find("meta")
        if attributes.get("http-equiv") == "Content-Security-Policy"
    )
    contents, library, script = document.texts["script"]
    plotly = zlib.decompress(base64.b64decode(library)).decode()
    for code in (script, plotly):
        digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none';") and policy.count("sha256") == 2
    assert "plotly.js v" in plotly[:100]
    assert json.loads(contents)["scenes"]
    kinds = [attributes.get("type") for attributes in document.find("script")]
    assert kinds == ["application/json", "text/plain", None]


def test_names_are_text(text, document):
    assert "<script>alert" not in text and "<b>" not in text and "<i>" not in text
    assert NASTY in document.texts["h3"] and NASTY in document.texts["th"]
    assert "run <i>&" in document.texts["h1"]
    assert any(NASTY in (image["alt"] or "") for image in document.find("img"))
    # plotly reads tags in the names of curves
    contents = json.loads(document.texts["script"][0])
    names = [line["name"] for line in contents["charts"]["validation"]["data"]]
    assert names[0].startswith("&lt;script&gt;") and not re.search(
        "[<>]", "".join(names)
    )


def test_can_be_read_aloud(document):
    assert document.find("html") == [{"lang": "en"}]
    levels = [
        int(tag[1]) for tag, _ in document.elements if re.fullmatch("h[1-6]", tag)
    ]
    assert levels.count(1) == 1 and levels[0] == 1
    assert all(b - a <= 1 for a, b in zip(levels, levels[1:], strict=False))
    names = {tag for tag, _ in document.elements}
    assert {"header", "main", "nav", "footer", "dialog", "noscript"} <= names
    assert all("alt" in image for image in document.find("img"))
    assert all(cell.get("scope") in ("row", "col") for cell in document.find("th"))
    assert len(document.find("caption")) == len(document.find("table"))
    ids = [a["id"] for _, a in document.elements if "id" in a]
    assert len(ids) == len(set(ids))
    for _, attributes in document.elements:
        for name in ("aria-labelledby", "aria-describedby"):
            assert attributes.get(name, ids[0]) in ids
        if (target := attributes.get("href")) is not None:
            assert target[1:] in ids


def test_says_how_it_was_made(document):
    facts = dict(zip(document.texts["dt"], document.texts["dd"], strict=True))
    assert facts["Command"] == "eval.py --workdir 'runs/two words'"
    assert facts["Evaluated"] == "2026-11-27 10:00 UTC+02:00"
    assert facts["Versions"] == "jaxsoftras 0.1.0, jax 0.10.2"
    assert facts["Checkpoint"] == "step 50 of 250,000"
    assert facts["batch_size"] == "64"


def test_numbers_are_those_of_the_files(document):
    cells = document.texts["td"]
    assert cells[:4] == ["3", "0.5000", "0.7500", "0.4000"]
    assert document.find("span")[0] == {"class": "bar", "aria-hidden": "true"}
    assert {"style": "width: 75.00%"} in document.find("span")


def lines_of(chart: page.curves.Chart) -> list[Any]:
    data: Any = chart.figure.data
    return list(data)


def test_terms_of_the_loss_are_weighted(tmp_path):
    run = report_files.write_run(tmp_path / "run", {"k": "mug"})
    found = results.read(run, "test")
    charts = page.curves.draw(found.history, found.config.loss)
    assert [chart.name for chart in charts] == [
        *("loss", "validation", "learning-rate", "steps-per-second"),
    ]
    lines = {line.name: np.asarray(line.y) for line in lines_of(charts[0])}
    assert set(lines) == {"loss", "silhouette", "laplacian", "flatten"}
    np.testing.assert_allclose(lines["laplacian"], 0.2 * 5e-3, rtol=1e-6)
    assert charts[0].summary == "loss: from 1 at step 10 to 0.2 at step 50."
    assert "best one is at step 10" in charts[1].summary
    assert charts[0].rows[0] == ["10", "1", "0.3", "0.001", "5e-05"]


def test_long_curves_are_thinned_and_say_so(tmp_path):
    run = report_files.write_run(tmp_path / "run", {"k": "mug"}, steps=2000)
    found = results.read(run, "test")
    loss = page.curves.draw(found.history, found.config.loss)[0]
    assert len(lines_of(loss)[0].x) == 500 and len(loss.rows) == 10
    assert "mean of up to 4 reports" in loss.meaning


@pytest.mark.parametrize("value", ["NaN", "-1", "0", '"x"', "1e308", "1e-320"])
def test_curves_without_a_point_to_draw(tmp_path, value):
    path = tmp_path / "metrics.jsonl"
    path.write_text(
        f'{{"step": 1, "loss": {value}}}\n{{"step": 1, "val_iou": {value}}}\n'
    )
    course = history.read(path)
    charts = page.curves.draw(course, report_files.config.Loss())
    assert [chart.name for chart in charts] == ["loss", "validation"]


@pytest.mark.parametrize(
    "name",
    ["two words", "Größe 漢字", "'\"&<>", "a\nb", "-x", "%41#?", "\udcff", "x" * 200],
)
def test_runs_and_categories_of_any_name(tmp_path, name, capsys):
    run = report_files.write_run(tmp_path / name, {name: name})
    assert program.main(["--", str(run)]) == 0
    document = Document(make(run))
    assert document.texts["h1"] == [terminal.printable(name)]
    (line,) = capsys.readouterr().out.splitlines()
    assert line.endswith(" MB")


def test_without_examples_there_are_no_objects(tmp_path):
    run = report_files.write_run(tmp_path / "run", {"k": "mug"})
    (results.folder_of(run, "test") / "examples.npz").unlink()
    document = Document(make(run))
    assert "#objects" not in [link["href"] for link in document.find("a")]
    assert any("examples.npz" in text for text in document.texts["li"])


def test_tampered_environment_is_text(tmp_path):
    run = report_files.write_run(tmp_path / "run", {"k": "mug"})
    path = results.folder_of(run, "test") / "environment.json"
    digest = json.loads(path.read_text())["metrics"]
    for value in (None, [["<b>"]], "<script>\x00"):
        keys = ("time", "command", "data", "moving_average", "devices", "versions")
        path.write_text(json.dumps({**dict.fromkeys(keys, value), "metrics": digest}))
        assert Document(make(run)).texts["h1"] == ["run"]


class TestMain:
    def test_refuses_a_run_that_is_not_evaluated(self, tmp_path, capsys):
        assert program.main([str(tmp_path)]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("python -m jaxsoftras.report: ")

    def test_names_the_extra_without_its_packages(self, tmp_path, monkeypatch, capsys):
        monkeypatch.delitem(sys.modules, "jaxsoftras.report.page")
        monkeypatch.delattr(report, "page")
        monkeypatch.setitem(sys.modules, "jinja2", None)
        run = report_files.write_run(tmp_path / "run", {"k": "mug"})
        assert program.main([str(run)]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        wanted = 'Install jinja2 to write a report: pip install "jaxsoftras[report]".'
        assert line.endswith(wanted)

    def test_leaves_the_old_report_after_an_error(self, tmp_path):
        run = report_files.write_run(tmp_path / "run", {"k": "mug"})
        before = make(run)
        (results.folder_of(run, "test") / "examples.npz").write_bytes(b"PK")
        assert program.main([str(run)]) == 2
        assert (results.folder_of(run, "test") / "report.html").read_text() == before
