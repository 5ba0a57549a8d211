"""Pages of the viewer, and runs to view that need no training."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from jaxsoftras import config, extras, models
from jaxsoftras.reconstruction import checkpoints
from tests.support import browser, tiny_models
from tests.support.small_run import CABINET


def require_viser() -> None:
    """Skips tests without viser, or fails where browsers must be tested."""
    try:
        extras.require("test the viewer", "viser", "websockets")
    except extras.MissingExtraError as error:
        if os.environ.get(browser.REQUIRED):
            pytest.fail(str(error))
        pytest.skip(str(error), allow_module_level=True)


def write_run(workdir: Path, root: Path, **model) -> Path:
    """Writes the folder of a run that has no checkpoint yet."""
    settings = dataclasses.replace(
        tiny_models.CONFIG,
        data=config.Data(root=str(root), categories=(CABINET,)),
        model=dataclasses.replace(tiny_models.CONFIG.model, **model),
        optim=config.Optim(steps=900),
    )
    workdir.mkdir(parents=True)
    config.save(settings, workdir / "config.json")
    return workdir


def save_checkpoint(
    workdir: Path, step: int, *, keep: int = 3, score: float | None = None
) -> None:
    """Writes a checkpoint of random parameters, which depend on the step."""
    settings = config.read(workdir / "config.json")
    network = models.Network(settings.model)
    random = np.random.default_rng(step)
    arrays: dict[str, np.ndarray] = {
        name: random.uniform(0.1, 0.3, size=shape.shape).astype(np.float32)
        for name, shape in models.flatten(network.shapes).items()
    }
    variables = models.unflatten(network.shapes, arrays)
    state = {"step": np.int32(step), "variables": variables, "opt_state": {}}
    with checkpoints.Checkpoints(workdir, keep) as written:
        written.save(step, state)
        if score is not None:
            written.add_score(step, score)


@contextlib.contextmanager
def working(worker, viewer) -> Iterator[None]:
    """Runs the worker of a viewer in the background within a scope."""
    failures = []

    def run() -> None:
        try:
            worker.run(viewer.begin, viewer.look)
        except Exception as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        worker.stop()
        thread.join()
    assert not failures, failures
