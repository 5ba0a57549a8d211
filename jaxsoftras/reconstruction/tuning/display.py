"""Progress of a search on the terminal: a bar, and a line for each trial."""

from __future__ import annotations

from typing import TYPE_CHECKING

import rich.progress

from jaxsoftras import terminal
from jaxsoftras.reconstruction.tuning import plan as plans

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

    from jaxsoftras.reconstruction.tuning.search import Trial
    from jaxsoftras.reconstruction.tuning.trial import Outcome


class Display:
    """Shows the progress of a search; a context manager."""

    def __init__(self, plan: plans.Plan, trials: int, *, quiet: bool = False):
        """Makes a display.

        Args:
            plan: the plan of the search.
            trials: number of its trials.
            quiet: whether to print nothing.
        """
        self._trials = trials
        self._console = terminal.make_console(quiet=quiet)
        self._bar = rich.progress.Progress(
            *terminal.bar_columns("steps{task.fields[best]}"),
            console=self._console,
            disable=not self._console.is_terminal,
            transient=True,
        )
        self._task = self._bar.add_task("", total=plan.steps, best="")

    def __enter__(self) -> Display:
        """Shows the bar."""
        self._bar.start()
        return self

    def __exit__(self, *_) -> None:
        """Removes the bar."""
        self._bar.stop()

    def message(self, text: str) -> None:
        """Prints a line above the bar."""
        terminal.print_above(self._bar, text, "the results go to files")

    def begin(self, trial: Trial, trials: list[FrozenTrial]) -> None:
        """Shows that a trial begins.

        Args:
            trial: the trial.
            trials: all trials of the search.
        """
        complete = (each.value for each in trials if each.state.name == "COMPLETE")
        scores = [score for score in complete if score is not None]
        best = f"  best {max(scores):.4f}" if scores else ""
        title = f"trial {trial.number} ({len(trials)} of {self._trials})"
        self._bar.reset(self._task, description=title, best=best)

    def step(self, step: int) -> None:
        """Shows the steps of the trial."""
        self._bar.update(self._task, completed=step)

    def finish(self, trial: Trial, outcome: Outcome) -> None:
        """Reports a trial that is complete, or was pruned."""
        ended = "pruned, " if outcome.pruned else ""
        self.message(
            f"trial {trial.number}: {ended}{outcome.scores.mean:.4f} at step "
            f"{outcome.step}, {outcome.seconds:.1f} s, {outcome.start:.1f} s of them "
            f"to start  {_list_values(trial)}"
        )

    def fail(self, trial: Trial, reason: str) -> None:
        """Reports a trial that failed."""
        self.message(f"trial {trial.number} failed: {reason}  {_list_values(trial)}")


def _list_values(trial: Trial) -> str:
    return " ".join(
        f"{path}={value:.4g}" if isinstance(value, float) else f"{path}={value}"
        for path, value in trial.point.items()
    )
