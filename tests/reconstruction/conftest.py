"""A small run, trained and evaluated once for all tests of a process."""

import contextlib
import dataclasses
import io
from typing import Any

import numpy as np
import pytest

from jaxsoftras import config
from jaxsoftras.reconstruction import (
    evaluation,
    evaluation_run,
    previews,
    training,
)
from tests.support import small_run


class NoPreviews:
    """Images of nothing, in place of renders that take long to compile."""

    def __init__(self, _, splits):
        self._names = list(splits)

    def draw(self, _):
        return dict.fromkeys(self._names, np.zeros((4, 4, 3), np.uint8))


@pytest.fixture(scope="session", autouse=True)
def shared_programs():
    """Makes experiments that differ in no program one, which is compiled once."""
    kind, start, made = training.Experiment, training.Experiment.__init__, {}

    # CPUs do not heed `tuned`
    def make(cls, settings: Any = None, devices: Any = None, *, tuned: bool = True):
        if settings is None:  # of a copy
            return object.__new__(cls)
        programs = dataclasses.replace(
            settings,
            log=config.Log(),
            optim=dataclasses.replace(settings.optim, steps=1),
            data=dataclasses.replace(settings.data, root="", categories=()),
        )
        key = programs, devices, cls.take_step
        if key not in made:
            made[key] = object.__new__(cls)
            start(made[key], settings, devices)
        return made[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kind, "__new__", make, raising=False)
        patch.setattr(kind, "__init__", lambda *_, **__: None)
        # groups are filled up, and each object takes its time
        patch.setattr(evaluation, "_OBJECTS_PER_DEVICE", 1)
        patch.setattr(previews, "Previews", NoPreviews)  # test_watching has the class
        yield


@pytest.fixture
def settings(cabinets) -> config.Config:
    return config.override(config.Config(), [*small_run.SMALL, f"data.root={cabinets}"])


@pytest.fixture(scope="session")
def trained(cabinets, tmp_path_factory):
    """The folder of a run of three steps."""
    workdir = tmp_path_factory.mktemp("runs") / "cabinets"
    assert small_run.train("optim.steps=3", workdir=workdir, root=cabinets) == 0
    return workdir


@pytest.fixture(scope="session")
def evaluated(trained) -> str:
    """Output of the evaluation of `trained`."""
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        arguments = ["--workdir", str(trained), "--untrained", "--points", "300"]
        assert evaluation_run.main(arguments) == 0
    return printed.getvalue()
