"""A headless Chromium, driven by the DevTools protocol over a pair of pipes."""

from __future__ import annotations

import base64
import contextlib
import io
import itertools
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

REQUIRED = "JAXSOFTRAS_BROWSER_TESTS"  # set where tests must not skip for want of one
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
TIMEOUT = 60.0  # seconds that an answer or a condition may take
HINTS = ("Canvas2D: Multiple readback", "GPU stall due to ReadPixels")  # on speed
OPTIONS = (
    "--headless=new",
    "--no-sandbox",  # which root cannot have
    "--disable-gpu",
    "--use-angle=swiftshader",  # WebGL without a GPU
    "--enable-unsafe-swiftshader",
    "--disable-background-networking",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--remote-debugging-pipe",
)


def find() -> str:
    """Finds the program; skips the test without one, or fails where it is required."""
    for name in NAMES:
        if path := shutil.which(name):
            return path
    message = f"no browser: none of {', '.join(NAMES)} is installed"
    if os.environ.get(REQUIRED):
        pytest.fail(message)
    pytest.skip(message)


class Browser:
    """A browser with one page at a time.

    Attributes:
        problems: errors and warnings of pages so far, and addresses that they asked for
            beside their own.
    """

    def __init__(self, process: subprocess.Popen, write: int, read: int):
        """Talks to a process through two pipes."""
        self._process, self._write, self._read = process, write, read
        self._numbers = itertools.count(1)
        self._buffer = b""
        self._session: str | None = None
        self.problems: list[str] = []

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Calls a method of the protocol and returns its result."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == number:
                assert "error" not in answer, (method, answer["error"])
                return answer["result"]
            self._note(answer)

    def _receive(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._read], [], [], TIMEOUT)
            assert ready, "the browser does not answer"
            data = os.read(self._read, 1 << 20)
            assert data, "the browser has ended"
            self._buffer += data
        message, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(message)

    def _note(self, event: dict[str, Any]) -> None:
        method, details = event.get("method"), event.get("params", {})
        if method == "Runtime.exceptionThrown":
            self.problems.append(json.dumps(details["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled":
            values = [part.get("value") for part in details["args"]]
            self.problems.append(f"console.{details['type']}: {values}")
        elif method == "Log.entryAdded":
            text = details["entry"]["text"]
            if not any(hint in text for hint in HINTS):
                self.problems.append(f"log: {text}")
        elif method == "Network.requestWillBeSent":
            address = details["request"]["url"]
            if details["type"] != "Document" and not address.startswith("data:"):
                self.problems.append(f"request: {address}")

    def open(self, page: Path | str, width: int, height: int = 800, dark: bool = False):
        """Opens a file or an address in a new page, and waits for its scripts.

        Args:
            page: path of a file, or an address.
            width: of the page, pixels.
            height: of the page, pixels.
            dark: whether the user prefers dark colours.
        """
        self._session = None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call(
            "Target.attachToTarget", targetId=target, flatten=True
        )["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.show(width, height, dark)
        address = page if isinstance(page, str) else page.resolve().as_uri()
        self.call("Page.navigate", url=address)
        self.wait("document.readyState === 'complete'")

    def show(self, width: int, height: int, dark: bool = False) -> None:
        """Gives the page a size in pixels, and the colours that the user prefers."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )

    def evaluate(self, expression: str) -> Any:
        """Evaluates JavaScript, and waits for the result if it is a promise."""
        result = self.call(
            "Runtime.evaluate",
            expression=expression,
            awaitPromise=True,
            returnByValue=True,
        )
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def wait(self, condition: str) -> None:
        """Waits until a JavaScript expression is true."""
        end = time.monotonic() + TIMEOUT
        while not self.evaluate(condition):
            assert time.monotonic() < end, f"never true: {condition}"
            time.sleep(0.02)

    def press(self, key: str) -> None:
        """Presses and releases a key, such as ``"ArrowLeft"`` or ``"Tab"``."""
        codes = {"Tab": 9, "Enter": 13, "Escape": 27}
        for kind in ("keyDown", "keyUp"):
            self.call(
                "Input.dispatchKeyEvent",
                type=kind,
                key=key,
                text="\r" if key == "Enter" and kind == "keyDown" else "",
                windowsVirtualKeyCode=codes.get(key, 0),
            )

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Drags the mouse from one place of the window to another, in pixels."""
        places = [start, ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2), end, end]
        kinds = ["mousePressed", "mouseMoved", "mouseMoved", "mouseReleased"]
        for kind, (x, y) in zip(kinds, places, strict=True):
            self.call(
                "Input.dispatchMouseEvent",
                type=kind,
                x=x,
                y=y,
                button="left",
                buttons=0 if kind == "mouseReleased" else 1,
                clickCount=1,
            )
            self.evaluate("new Promise(requestAnimationFrame)")

    def box(self, selector: str) -> tuple[float, float, float, float]:
        """Left, top, width and height of an element in the window, pixels."""
        return tuple(
            self.evaluate(
                f"(({{x, y, width, height}}) => [x, y, width, height])("
                f"document.querySelector({selector!r}).getBoundingClientRect())"
            )
        )

    def screenshot(self, selector: str = "html", whole: bool = False) -> np.ndarray:
        """Pixels ``[H, W, 3]`` of an element in the window, or of the whole page."""
        data = self.call("Page.captureScreenshot", captureBeyondViewport=whole)["data"]
        with Image.open(io.BytesIO(base64.b64decode(data))) as image:
            pixels = np.asarray(image.convert("RGB"))
        if whole or selector == "html":
            return pixels
        x, y, width, height = map(round, self.box(selector))
        return pixels[y : y + height, x : x + width]


@contextlib.contextmanager
def start(folder: Path) -> Iterator[Browser]:
    """Starts a browser whose profile is a folder, and ends it."""
    program = find()
    child_reads, write = os.pipe()
    read, child_writes = os.pipe()
    # the protocol takes descriptors 3 and 4; dash knows none beyond 9
    shell = f'exec "$@" 3<&{child_reads} 4>&{child_writes}'
    with subprocess.Popen(
        ["bash", "-c", shell, "bash", program, *OPTIONS, f"--user-data-dir={folder}"],
        pass_fds=(child_reads, child_writes),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        os.close(child_reads)
        os.close(child_writes)
        browser = Browser(process, write, read)
        try:
            yield browser
            browser._session = None
            browser.call("Browser.close")
            process.wait(TIMEOUT)
        finally:
            process.kill()
            os.close(write)
            os.close(read)
