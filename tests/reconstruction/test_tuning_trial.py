"""Errors of a trial: those that end it alone, and those that end the search."""

import pytest

pytest.importorskip("optuna")

from jaxsoftras import config, interruption
from jaxsoftras.reconstruction import monitor
from jaxsoftras.reconstruction.tuning import trial


class TestReasons:
    class JaxRuntimeError(RuntimeError):
        pass

    def run(self, error):
        class Failing:
            forgotten = False

            def find(self, _):
                raise error

            def forget(self):
                self.forgotten = True

        found = Failing()
        stop = interruption.Stop()
        try:
            trial.run(config.Config(), found, None, None, stop)  # pyright: ignore
        finally:
            self.forgotten = found.forgotten

    @pytest.mark.parametrize(
        ("error", "message"),
        [
            (JaxRuntimeError("RESOURCE_EXHAUSTED: 9 GB\nx"), "suffice .*9 GB"),
            (MemoryError(), "suffice .none is left"),
        ],
    )
    def test_memory(self, error, message):
        with pytest.raises(trial.TrialError, match=message):
            self.run(error)
        assert self.forgotten

    @pytest.mark.parametrize(
        "error",
        [ValueError("no"), monitor.DivergedError(3, "no"), config.ConfigError("no")],
    )
    def test_others(self, error):
        with pytest.raises(trial.TrialError, match="^no"):
            self.run(error)

    @pytest.mark.parametrize(
        "error", [OSError("no"), JaxRuntimeError("INTERNAL"), KeyError("no")]
    )
    def test_errors_of_the_machine_or_of_the_program_are_raised(self, error):
        with pytest.raises(type(error)):
            self.run(error)
