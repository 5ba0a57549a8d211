"""A small run, trained and evaluated once for all tests of a process."""

import contextlib
import io

import pytest

from jaxsoftras import config
from jaxsoftras.reconstruction import evaluation_run
from tests.support import small_run


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
        arguments = ["--workdir", str(trained), "--untrained"]
        assert evaluation_run.main(arguments) == 0
    return printed.getvalue()
