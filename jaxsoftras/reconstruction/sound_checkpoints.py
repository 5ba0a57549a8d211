"""The newest, the best and the wanted checkpoint of a run, verified."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Literal

from jaxsoftras.reconstruction import (
    checkpoint_files,
    checkpoint_scores,
    orbax_format,
)
from jaxsoftras.reconstruction.run_folder import CHECKPOINTS, RunError

ITEM = "default"
"""Name of Orbax's folder in that of a checkpoint, also in earlier versions."""


class SoundCheckpoints:
    """The steps of a run's checkpoints, of which damaged ones are passed over."""

    def __init__(self, workdir: Path, *, read_only: bool):
        """Opens the checkpoints of a run folder.

        Args:
            workdir: the run folder.
            read_only: whether to leave damaged checkpoints where they are.
        """
        self._folder = workdir / CHECKPOINTS
        self._read_only = read_only
        self._unverified: set[int] = set()  # of which was warned

    def latest(self) -> int | None:
        """Step of the newest checkpoint, verified or not, if there is one."""
        return max(checkpoint_files.list_steps(self._folder), default=None)

    def newest(self) -> int | None:
        """Step of the newest sound checkpoint, if there are checkpoints.

        A warning names damaged ones, which are renamed unless `read_only`.

        Raises:
            RunError: all checkpoints are damaged.
        """
        step, damaged = self._find_sound(sorted)
        if step is not None:
            return step
        aside = checkpoint_files.list_damaged(self._folder)
        if damaged or aside:
            names = [f"{step} ({damaged[step]})" for step in sorted(damaged)] + aside
            raise RunError(
                f"{self._folder} holds damaged checkpoints only: {', '.join(names)}; "
                "put back a sound one, or remove them to begin at step 0."
            )
        return None

    def best(self) -> int | None:
        """Step of the sound checkpoint with the highest score, if any has a score.

        Of equal scores, the first counts. A warning names damaged ones, which are
        renamed unless `read_only`, and damaged scores.
        """
        step, damaged = self._find_sound(self._rank)
        if step is None:
            self._pass_over(damaged, "no other one has a score")
        checkpoint_scores.warn_of_damage(self._folder)
        return step

    def peek_best(self) -> int | None:
        """Step of the checkpoint with the highest score, verified or not."""
        steps = self._rank(checkpoint_files.list_steps(self._folder))
        return steps[-1] if steps else None

    def _rank(self, steps: Iterable[int]) -> list[int]:
        return checkpoint_scores.rank(self._folder, steps)

    def score(self, step: int) -> float | None:
        """Score of a checkpoint; None if it has none, or a damaged one."""
        return checkpoint_scores.find(self._folder, step)

    def _find_sound(
        self, rank: Callable[[Iterable[int]], list[int]]
    ) -> tuple[int | None, dict[int, str]]:
        """Finds the last of the ranked steps that is sound, and passes over others.

        Returns:
            The step, and None if there is none; the damaged ones that were tried.
        """
        damaged: dict[int, str] = {}
        while steps := rank(
            set(checkpoint_files.list_steps(self._folder)) - set(damaged)
        ):
            step = steps[-1]
            damage = self._find_damage(step)
            if damage is None:
                self._pass_over(damaged, f"that of step {step} is used")
                return step, {}
            if (self._folder / str(step)).exists():  # not removed by a training run
                damaged[step] = damage
        return None, damaged

    def find(self, step: int | Literal["best"] | None = None) -> int:
        """Step of a sound checkpoint.

        Args:
            step: the wanted step, or ``"best"``; see `best`, and `newest` if None.

        Raises:
            RunError: there is no such checkpoint, or it is damaged.
        """
        if step is None:
            step = self.newest()
            if step is None:
                raise RunError(
                    f"There is no checkpoint in {self._folder}; train first."
                )
            return step
        if step == "best":
            best = self.best()
            if best is None:
                raise RunError(
                    f"No sound checkpoint in {self._folder} has a score; choose "
                    "another one, or train with log.validate_every."
                )
            return best
        steps = checkpoint_files.list_steps(self._folder)
        if step not in steps:
            raise RunError(
                f"There is no checkpoint of step {step} in {self._folder}, but of "
                f"{', '.join(map(str, steps)) or 'none'}."
            )
        if damage := self._find_damage(step):
            raise RunError(
                f"The checkpoint {self._folder / str(step)} is damaged: {damage}; "
                "choose another step."
            )
        return step

    def _find_damage(self, step: int) -> str | None:
        """Phrase about a damaged checkpoint; warns of one that cannot be verified."""
        checkpoint = self._folder / str(step)
        if any(map(self._has_manifest, self._list_until(step))):
            return checkpoint_files.find_damage(checkpoint)
        try:
            item = self._item(step)
            orbax_format.read(item, orbax_format.read_structure(item))
        except Exception:
            return "it has no checksums, and cannot be read"
        if step not in self._unverified:
            self._unverified.add(step)
            warnings.warn(
                f"The checkpoint {checkpoint} has no checksums, as in earlier versions,"
                " and is read without verification.",
                stacklevel=3,
            )
        return None

    def _list_until(self, step: int) -> list[int]:
        """Steps of the checkpoints up to one; the later ones have manifests."""
        steps = checkpoint_files.list_steps(self._folder)
        return [number for number in steps if number <= step]

    def _has_manifest(self, step: int) -> bool:
        return (self._folder / str(step) / checkpoint_files.MANIFEST).exists()

    def _pass_over(self, damaged: dict[int, str], instead: str) -> None:
        """Reports damaged checkpoints, and sets them aside."""
        for number, damage in damaged.items():
            checkpoint = self._folder / str(number)
            place = ""
            if not self._read_only:
                place = f", is now {checkpoint_files.set_aside(checkpoint).name}"
            warnings.warn(
                f"The checkpoint {checkpoint} is damaged{place}, and {instead}: "
                f"{damage}.",
                stacklevel=4,
            )

    def _item(self, step: int) -> Path:
        return self._folder / str(step) / ITEM
