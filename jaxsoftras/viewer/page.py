"""The page in the browser, served by viser."""

from __future__ import annotations

import contextlib
import functools
import io
import math
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from jaxsoftras import extras

extras.require("view meshes in the browser", "viser", "websockets", "PIL")
import viser
import websockets.asyncio.server

from jaxsoftras.viewer import addresses, cards, solids
from jaxsoftras.viewer.exhibits import Exhibit, Up

_STATUS_ORDER, _CARD_ORDER = 0, 1000  # controls have numbers from 1
_AMBIENT = 0.8  # intensity, so that no side is black
_FOV = math.radians(30)
_DISTANCE = 2.8  # of the camera from one mesh, whose largest side is 1
_LABEL_HEIGHT = -0.62
_UPS: dict[Up, np.ndarray] = {"+y": np.array([0, 1, 0.0]), "+z": np.array([0, 0, 1.0])}


class _Server(viser.ViserServer):
    """A server without viser's public tunnel, which a browser could ask for."""

    def request_share_url(self, verbose: bool = True) -> str | None:
        return None


class Page:
    """A page with meshes at the left, and controls and a card at the right.

    All browsers that open it see the same. Use as a context manager, which ends the
    server.

    Attributes:
        gui: viser's controls, for those of the caller.
        address: where it is served.
    """

    def __init__(self, host: str, port: int):
        """Starts to serve a page.

        Only pages of this machine may connect to a server that only this machine can
        reach: the browser of the user may show those of others.

        Args:
            host: name or address to listen at.
            port: the port; 0 for any that is free.

        Raises:
            ProgramError: see `addresses.find_port`.
        """
        port = addresses.find_port(host, port)
        # of what a thread still sends at the end; set before threads that save and
        # restore the filters, in which it would be lost
        warnings.filterwarnings("ignore", message="Queued a .* on a closed connection")
        with _quietly(), _checking_origins(addresses.find_origins(host)):
            self._server = _Server(host=host, port=port, verbose=False, label=None)
        self.gui = self._server.gui
        self.address = addresses.write_address(host, self._server.get_port())
        self.gui.set_panel_label("jaxsoftras")
        self.gui.configure_theme(
            control_width="large", show_logo=False, show_share_button=False
        )
        self.gui.main_panel.dock_right()
        self._server.scene.configure_environment_map(None)
        self._server.scene.add_light_ambient("/light", intensity=_AMBIENT)
        self._status = self.gui.add_html("", order=_STATUS_ORDER)
        self._card = self.gui.add_html("", order=_CARD_ORDER)
        self._drawn: list[Any] = []
        self._towards: tuple[Any, ...] | None = None
        self._reset = self.gui.add_command("Reset the camera", hotkey="R")
        self._reset.on_trigger(lambda _: self.reset_camera())

    def say(self, text: str, *, problem: bool = False) -> None:
        """Shows a line on what the viewer does, or what is wrong."""
        self._status.content = cards.write_status(text, problem)

    def report(self, text: str) -> None:
        """Shows an error."""
        self.say(text, problem=True)

    def show(self, exhibit: Exhibit) -> None:
        """Shows meshes and a card in place of those before."""
        up = _UPS[exhibit.up]
        towards = _choose_direction(exhibit.towards, up)
        sideways = np.cross(up, towards)
        placed, notes = solids.place(
            exhibit.solids, sideways / np.linalg.norm(sideways)
        )
        with self._server.atomic():
            for handle in self._drawn:
                handle.remove()
            self._drawn = [
                handle
                for number, solid in enumerate(placed)
                for handle in self._draw(number, solid, up, labelled=len(placed) > 1)
            ]
            self._card.content = cards.write_card(exhibit, notes)
        viewpoint = exhibit.up, exhibit.towards, len(placed)
        if viewpoint != self._towards and placed:
            self._towards = viewpoint
            self._place_camera(exhibit.up, towards, len(placed))

    def _draw(
        self, number: int, solid: solids.Placed, up: np.ndarray, labelled: bool
    ) -> Iterator[Any]:
        scene = self._server.scene
        yield scene.add_glb(f"/solids/{number}", solid.content, cast_shadow=False)
        if labelled and solid.label:
            place = solid.center + _LABEL_HEIGHT * up
            yield scene.add_label(
                f"/labels/{number}", solid.label, position=place, anchor="top-center"
            )

    def _place_camera(self, up: Up, towards: np.ndarray, count: int) -> None:
        """Sets the camera that browsers begin with, and moves those that are open."""
        self._server.scene.set_up_direction(up)
        distance = _DISTANCE + solids.SPACING * (count - 1) * 1.4
        start = self._server.initial_camera
        start.fov = _FOV
        start.position, start.look_at = towards * distance, np.zeros(3)
        start.up = _UPS[up]
        self.reset_camera()

    def reset_camera(self) -> None:
        """Moves the cameras of all browsers to where they begin."""
        start = self._server.initial_camera
        for client in self._server.get_clients().values():
            with client.atomic():
                client.camera.up_direction = (
                    _UPS["+y"] if start.up is None else start.up
                )
                client.camera.position = start.position
                client.camera.look_at = start.look_at

    def __enter__(self) -> Page:
        """Returns the page, which is served already."""
        return self

    def __exit__(self, *_) -> None:
        """Ends the server; what a thread still sends is dropped."""
        with _quietly():
            self._server.stop()


def _choose_direction(towards: tuple[float, ...], up: np.ndarray) -> np.ndarray:
    """Unit vector to the camera, which does not look straight up or down."""
    direction = np.nan_to_num(np.asarray(towards, float))
    direction /= np.linalg.norm(direction) or 1.0
    if np.linalg.norm(np.cross(up, direction)) < 0.05:
        direction = direction + 0.05 * np.roll(up, 1)
        if not direction @ up:
            direction = direction + up
    return direction / np.linalg.norm(direction)


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Keeps what viser prints off stdout."""
    with contextlib.redirect_stdout(io.StringIO()):
        yield


@contextlib.contextmanager
def _checking_origins(origins: Sequence[Any] | None) -> Iterator[None]:
    """Lets servers that are started in a scope refuse pages of other machines.

    viser has no option for it; websockets, which it serves with, has.

    Args:
        origins: see `addresses.find_origins`.
    """
    serve = websockets.asyncio.server.serve
    if origins is not None:
        limited: Any = functools.partial(serve, origins=origins)
        websockets.asyncio.server.serve = limited
    try:
        yield
    finally:
        websockets.asyncio.server.serve = serve
