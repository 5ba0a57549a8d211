"""The plan of a search, ``search.json``: alike in all processes that take part."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from jaxsoftras import atomic, config
from jaxsoftras.reconstruction.run_folder import RunError
from jaxsoftras.reconstruction.tuning import space as spaces

FILE = "search.json"

_COMPARED = ("optim.steps", "log.validate_every")  # though a run may change them


class Plan(NamedTuple):
    """Configuration, search space and length of the trials.

    Attributes:
        settings: configuration of the whole run, whose fields are changed.
        texts: texts of the search space; see `space.read`.
        steps: number of steps of a trial.
    """

    settings: config.Config
    texts: list[str]
    steps: int

    def read_space(self) -> spaces.Space:
        """Reads the search space."""
        return spaces.read(self.texts, self.settings)


def choose(
    workdir: Path,
    file: str | None,
    overrides: Sequence[str],
    texts: Sequence[str],
    steps: int | None,
) -> Plan:
    """Finds the plan to begin a search with, or to go on with.

    Args:
        workdir: the folder, which need not exist; nothing is written.
        file: configuration file, or its name; None for that of the search.
        overrides: assignments to its fields.
        texts: texts of the search space; empty for that of the search, or for
            `space.choose_default`.
        steps: number of steps of a trial; None for that of the search, or for
            ``optim.steps``.

    Raises:
        ConfigError: the configuration, or the space, is wrong.
        RunError: the folder holds something else, or a search by another plan.
    """
    if file is None and config.is_name(workdir):
        raise RunError(
            f"{workdir} is a configuration: write --config {workdir}, and name a "
            "folder for the search, such as runs/tune."
        )
    saved = _read(workdir)
    if saved is None and file is None:
        raise RunError(
            f"{workdir} holds no search to go on with; start one with --config NAME."
        )
    if file is not None:
        settings = config.load(file, overrides)
    else:
        assert saved is not None
        settings = config.override(saved.settings, overrides)
    if saved is None:
        plan = Plan(
            settings,
            list(texts) or spaces.choose_default(settings),
            steps or settings.optim.steps,
        )
    else:
        plan = Plan(settings, list(texts) or saved.texts, steps or saved.steps)
        _compare(workdir, saved, plan)
        plan = plan._replace(texts=saved.texts)
    _check(plan)
    return plan


def record(workdir: Path, plan: Plan) -> None:
    """Writes a plan to a folder that the caller has locked, unless it is there.

    Raises:
        RunError: another process has begun a search by another plan meanwhile.
    """
    saved = _read(workdir)
    if saved is not None:
        _compare(workdir, saved, plan)
        return
    text = json.dumps(
        {
            "search": plan.texts,
            "steps": plan.steps,
            "config": dataclasses.asdict(plan.settings),
        },
        indent=2,
    )
    with atomic.file(workdir / FILE) as partial:
        partial.write_text(text + "\n", encoding="ascii")


def _read(workdir: Path) -> Plan | None:
    """Reads the plan of a search; None where there is nothing yet."""
    path = workdir / FILE
    if not path.is_file():
        _refuse_other_folders(workdir)
        return None
    try:
        values = json.loads(path.read_bytes())
        texts, steps = values["search"], values["steps"]
        if not (isinstance(texts, list) and texts and isinstance(steps, int)):
            raise TypeError("the search space or the steps are missing")
        settings = config.from_dict(config.Config, values["config"])
        return Plan(settings, [str(text) for text in texts], steps)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise RunError(
            f"{path} is damaged ({error}): put back a copy, or choose another "
            "--workdir."
        ) from None


def _refuse_other_folders(workdir: Path) -> None:
    if workdir.exists() and not workdir.is_dir():
        raise RunError(f"{workdir} is not a folder; choose another --workdir.")
    # locks alone are of a start that was cut off
    if workdir.exists() and any(not p.name.startswith(".") for p in workdir.iterdir()):
        raise RunError(
            f"{workdir} exists and holds no search; choose another --workdir."
        )


def _compare(workdir: Path, saved: Plan, plan: Plan) -> None:
    """Refuses a plan whose trials could not be compared with those that are there."""
    there, here = config.flat(saved.settings), config.flat(plan.settings)
    conflicts = config.conflicts(saved.settings, plan.settings)
    conflicts += [
        f"{path}: {there[path]!r} there, {here[path]!r} here"
        for path in _COMPARED
        if there[path] != here[path]
    ]
    if saved.steps != plan.steps:
        conflicts.append(f"--steps: {saved.steps} there, {plan.steps} here")
    ours, theirs = (spaces.split_texts(each.texts) for each in (plan, saved))
    conflicts += [
        f"--search {path}: {theirs.get(path, 'not searched')} there, "
        f"{ours.get(path, 'not searched')} here"
        for path in {**theirs, **ours}
        if theirs.get(path) != ours.get(path)
    ]
    if conflicts:
        raise RunError(
            f"{workdir} holds another search ({'; '.join(conflicts)}); leave these as "
            "they are there, or choose another --workdir."
        )


def _check(plan: Plan) -> None:
    """Checks that there is a space, and that its trials can be validated."""
    plan.read_space()
    spaces.shorten(plan.settings, plan.steps)
    if not plan.settings.log.validate_every:
        raise config.ConfigError(
            "A search compares validations: set log.validate_every, such as "
            f"log.validate_every={max(plan.steps // 4, 1)}."
        )
