"""The page ``report.html``: one file that holds all that it shows."""

from __future__ import annotations

import datetime
import functools
import json
import shlex
from collections.abc import Mapping
from importlib import resources
from typing import Any

import jinja2
import plotly.graph_objects
import plotly.io
import plotly.offline

from jaxsoftras import config, terminal
from jaxsoftras.report import curves, embedding, results, scenes

_SPLITS = {"train": "training", "val": "validation", "test": "test"}


def make(found: results.Results) -> str:
    """Makes the page.

    Args:
        found: the files of the run.

    Returns:
        HTML without references to other files. A Content Security Policy keeps it from
        loading any, and from running scripts but its own.
    """
    library, compressed = _read_library()
    script, style = _read("page.js"), _read("page.css")
    charts = curves.draw(found.history, found.config.loss)
    cards = {} if found.examples is None else scenes.make_cards(found.examples)
    contents = {
        "charts": {chart.name: _to_plain(chart.figure) for chart in charts},
        "scenes": {card.name: card.scene for row in cards.values() for card in row},
        "faces": "" if found.examples is None else scenes.encode_faces(found.examples),
    }
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_write_controls_as_escapes,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["score"] = _format_score
    environment.filters["sentence"] = lambda text: text[:1].upper() + text[1:]
    return environment.from_string(_read("page.html")).render(
        policy=_make_policy(script, library),
        style=style,
        script=script,
        library=compressed,
        contents=contents,
        run=found.workdir.resolve().name or str(found.workdir),
        split=_SPLITS.get(found.split, found.split),
        found=found,
        charts=charts,
        cards=cards,
        facts=_list_facts(found),
        settings=_list_settings(found.config),
    )


@functools.cache
def _read_library() -> tuple[str, str]:
    """The program of plotly, and the same compressed."""
    library = plotly.offline.get_plotlyjs()
    return library, embedding.compress(library.encode())


def _read(name: str) -> str:
    return (resources.files("jaxsoftras.report") / name).read_text(encoding="utf-8")


def _write_controls_as_escapes(value: object) -> object:
    """Makes a text one that a page can hold; see `terminal.printable`."""
    if isinstance(value, str) and not hasattr(value, "__html__"):
        return terminal.printable(value)
    return value


def _to_plain(figure: plotly.graph_objects.Figure) -> Any:
    """Converts a figure to what JSON has."""
    return json.loads(plotly.io.to_json(figure, engine="json") or "null")


def _make_policy(*scripts: str) -> str:
    allowed = " ".join(map(embedding.hash_script, scripts))
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'"
    )


def _format_score(value: float | None) -> str:
    return "none" if value is None else f"{value:.4f}"


def _list_facts(found: results.Results) -> list[tuple[str, str]]:
    """Names and values of what is known about the evaluation."""
    facts = [
        ("Run folder", str(found.workdir.resolve())),
        ("Checkpoint", f"step {found.step:,} of {found.config.optim.steps:,}"),
    ]
    environment = found.environment
    if environment is None:
        return facts
    average = environment.get("moving_average")
    facts += [
        (
            "Parameters",
            f"moving average (optim.ema={average})" if average else "of this step",
        ),
        ("Evaluated", _format_time(environment.get("time"))),
        ("Command", _join_words(environment.get("command"))),
        ("Data set", str(environment.get("data", "unknown"))),
        ("Devices", str(environment.get("devices", "unknown"))),
        ("System", str(environment.get("platform", "unknown"))),
    ]
    versions = _as_mapping(environment.get("versions"))
    facts.append(
        ("Versions", ", ".join(f"{name} {number}" for name, number in versions.items()))
    )
    return facts


def _as_mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _join_words(value: Any) -> str:
    return shlex.join(map(str, value)) if isinstance(value, list) else "unknown"


def _format_time(value: Any) -> str:
    try:
        time = datetime.datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return "unknown"
    return f"{time:%Y-%m-%d %H:%M} {time.tzname() or ''}".rstrip()


def _list_settings(settings: config.Config) -> dict[str, list[tuple[str, str, bool]]]:
    """Fields by group: name, value, and whether it differs from the default."""
    default = config.flat(config.Config())
    groups: dict[str, list[tuple[str, str, bool]]] = {}
    for path, value in config.flat(settings).items():
        group, _, name = path.rpartition(".")
        changed = value != default.get(path)
        groups.setdefault(group or "general", []).append((name, repr(value), changed))
    return groups
