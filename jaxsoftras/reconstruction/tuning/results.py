"""Results of a search: every trial, the best one, the importance of the fields."""

from __future__ import annotations

import dataclasses
import os
import pprint
from collections.abc import Iterable
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from jaxsoftras import config
from jaxsoftras.reconstruction.tuning import search
from jaxsoftras.reconstruction.tuning import space as spaces

Results = dict[str, Any]
"""See `collect`; it has a form in JSON."""

_STATES = {
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "running",
    TrialState.WAITING: "waiting",
}
_KILLED = "its process was killed"


def collect(found: search.Search, texts: Iterable[str], steps: int) -> Results:
    """Collects all trials of a search.

    Args:
        found: the search.
        texts: texts of the search space.
        steps: number of steps of a trial.

    Returns:
        ``measure`` and ``part`` of the validations, see `validation.Validation`;
        ``steps``; ``space``, texts by field; ``trials`` by number; ``best``, the number
        of the complete trial with the highest score, or None; ``importance`` by field,
        the largest first, empty while it is not known.

        A trial has its ``number``, ``state``, ``score``, the highest of its
        validations, or None, the ``step`` of that, ``seconds``, ``values`` by field,
        ``course``, steps and scores of its validations, and the ``reason`` of a
        failure.
    """
    trials = found.list_trials()
    attributes = {k: v for each in trials for k, v in each.user_attrs.items()}
    rows = [_describe(each) for each in trials]
    complete = [row for row in rows if row["state"] == "complete"]
    best = max(complete, key=lambda row: row["score"], default=None)
    return {
        "measure": attributes.get(search.MEASURE, "iou"),
        "part": attributes.get(search.PART, ""),
        "steps": steps,
        "space": spaces.split_texts(texts),
        "best": best and best["number"],
        "importance": found.rank_fields(),
        "trials": rows,
    }


def _describe(trial: FrozenTrial) -> dict[str, Any]:
    state, attributes = _STATES[trial.state], trial.user_attrs
    course = sorted(trial.intermediate_values.items())
    step, score = max(course, key=lambda each: each[1], default=(None, None))
    reason = attributes.get(search.REASON, _KILLED) if state == "failed" else ""
    return {
        "number": trial.number,
        "state": state,
        "score": score,
        "step": step,
        "seconds": attributes.get(search.SECONDS),
        "start_seconds": attributes.get(search.START),
        "values": trial.params,
        "course": [list(each) for each in course],
        "reason": reason,
    }


def find_best(results: Results) -> dict[str, Any] | None:
    """The best trial; None if none is complete."""
    found = [row for row in results["trials"] if row["number"] == results["best"]]
    return found[0] if found else None


def rank(results: Results) -> list[dict[str, Any]]:
    """Trials from the best to the worst: complete ones, pruned ones, and others."""
    order = list(_STATES.values())
    return sorted(
        results["trials"],
        key=lambda row: (order.index(row["state"]), -(row["score"] or 0)),
    )


def write_config(settings: config.Config, results: Results) -> str:
    """Writes the configuration with the values of the best trial, as a Python file.

    Paths in it are absolute, for the file is used from any folder.

    Args:
        settings: configuration of the search, of the whole run.
        results: results with a best trial.
    """
    best = find_best(results)
    assert best is not None
    chosen = spaces.apply(settings, best["values"])
    values = dataclasses.asdict(with_absolute_paths(chosen))
    body = pprint.pformat(values, indent=1, width=76, sort_dicts=False)
    indented = body.replace("\n", "\n        ")
    return _CONFIG.format(
        number=best["number"],
        count=sum(row["state"] in ("complete", "pruned") for row in results["trials"]),
        measure=results["measure"],
        score=best["score"],
        step=best["step"],
        values=indented,
    )


def with_absolute_paths(settings: config.Config) -> config.Config:
    """Makes the paths of data sets and of ``init_from`` absolute.

    Args:
        settings: configuration whose relative paths are those of the current folder.
    """
    data = settings.data
    sources = tuple(
        dataclasses.replace(source, root=os.path.abspath(source.root))
        for source in data.sources
    )
    return dataclasses.replace(
        settings,
        data=dataclasses.replace(
            data, root=os.path.abspath(data.root), sources=sources
        ),
        init_from=settings.init_from and os.path.abspath(settings.init_from),
    )


_CONFIG = '''\
"""Trial {number}, the best of {count}: {measure} {score:.4f} after {step} steps."""

from jaxsoftras import config


def get_config() -> config.Config:
    """The configuration of the search with the values of this trial."""
    return config.from_dict(
        config.Config,
        {values},
    )
'''
