"""Controls that step through a number of things."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_PREVIOUS, _NEXT = "\N{LEFTWARDS ARROW} Previous", "Next \N{RIGHTWARDS ARROW}"


class Stepper:
    """A slider, two buttons, and the keys N and P; shown when there are several."""

    def __init__(
        self, gui: Any, label: str, choose: Callable[[int], None], *, order: float
    ):
        """Makes the controls.

        Args:
            gui: viser's controls.
            label: what is stepped through, in the singular.
            choose: called with a number from 0 that the user chose; those before the
                first and behind the last are -1 and the count.
            order: place among the controls.
        """
        self._choose, self._count, self._number = choose, 0, 0
        self._slider = gui.add_slider(
            label, min=1, max=2, step=1, initial_value=1, order=order, visible=False
        )
        self._slider.on_update(self._slide)
        self._buttons = gui.add_button_group(
            "", (_PREVIOUS, _NEXT), order=order + 0.1, visible=False
        )
        self._buttons.on_click(
            lambda event: self.step(1 if event.target.value == _NEXT else -1)
        )
        for key, sign, word in (("N", 1, "Next"), ("P", -1, "Previous")):
            command = gui.add_command(f"{word} {label.lower()}", hotkey=key)
            command.on_trigger(lambda _, sign=sign: self.step(sign))

    def set(self, number: int, count: int, *, beyond: bool = False) -> None:
        """Shows a number.

        Args:
            number: from 0.
            count: number of things.
            beyond: whether there is something before the first and behind the last.
        """
        self._number, self._count = number, count
        self._slider.visible = count > 1
        self._buttons.visible = count > 1 or beyond
        if count > 1:
            self._slider.max = max(count, self._slider.value)
            self._slider.value = number + 1
            self._slider.max = count

    def step(self, sign: int) -> None:
        """Chooses the next one, or that before."""
        if self._count:
            self._number += sign
            self._choose(self._number)

    def _slide(self, event: Any) -> None:
        # a browser may send any number
        if event.client is not None and 1 <= event.target.value <= self._count:
            self._number = int(event.target.value) - 1
            self._choose(self._number)
