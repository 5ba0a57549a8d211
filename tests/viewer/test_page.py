import urllib.error
import urllib.parse
import urllib.request

import numpy as np
import pytest

import jaxsoftras
from jaxsoftras import terminal
from tests.support import viewed_runs

viewed_runs.require_viser()

import viser  # noqa: E402
import websockets.exceptions  # noqa: E402
from websockets.sync.client import connect  # noqa: E402
from websockets.typing import Subprotocol  # noqa: E402

from jaxsoftras.viewer import page as pages  # noqa: E402
from jaxsoftras.viewer.exhibits import Exhibit, Solid  # noqa: E402

SPHERE = jaxsoftras.icosphere(1)


@pytest.fixture(scope="module")
def page():
    with pages.Page("127.0.0.1", 0) as opened:
        yield opened


def open_socket(page, origin):
    address = page.address.replace("http", "ws")
    version = Subprotocol(f"viser-v{viser.__version__}")
    return connect(address, origin=origin, subprotocols=[version])


@pytest.mark.parametrize("origin", ["http://localhost:9000", None])
def test_pages_of_this_machine_may_connect(page, origin):
    with open_socket(page, origin):
        pass


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.2x"])
def test_pages_of_other_machines_may_not(page, origin):
    with pytest.raises(websockets.exceptions.InvalidStatus, match="403"):
        open_socket(page, origin)


@pytest.mark.parametrize(
    "path",
    [
        "../../../../../../../../etc/passwd",
        "%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "..%5c..%5c..%5cetc/passwd",
        "/etc/passwd",
        "README.md",
    ],
)
def test_nothing_but_the_page_is_served(page, path):
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(page.address + path)
    with urllib.request.urlopen(page.address) as found:
        assert found.status == 200


def test_the_public_tunnel_of_viser_is_closed(page):
    assert page._server.request_share_url() is None


def test_a_taken_port_is_refused_and_viser_prints_nothing(page, capfd):
    port = urllib.parse.urlsplit(page.address).port
    with pytest.raises(terminal.ProgramError, match="--port 0"):
        pages.Page("127.0.0.1", port)
    with pages.Page("127.0.0.1", 0):
        pass
    assert capfd.readouterr().out == ""


def test_meshes_take_the_place_of_those_before(page):
    for count in (2, 1, 0):
        page.show(Exhibit("a", [Solid(f"solid {k}", SPHERE) for k in range(count)]))
        names = {handle.name for handle in page._drawn}
        assert sum(name.startswith("/solids/") for name in names) == count


def test_the_camera_stays_until_the_view_changes(page):
    def show(**options) -> np.ndarray:
        page.show(Exhibit("a", [Solid("", SPHERE)], **options))
        return np.array(page._server.initial_camera.position)

    front = show(towards=(0.0, 0.0, 5.0))
    np.testing.assert_allclose(front / np.linalg.norm(front), [0, 0, 1])
    page._server.initial_camera.position = (9.0, 9.0, 9.0)
    assert show(towards=(0.0, 0.0, 5.0)).tolist() == [9, 9, 9]
    side = show(towards=(1.0, 0.0, 0.0))
    np.testing.assert_allclose(side / np.linalg.norm(side), [1, 0, 0])


@pytest.mark.parametrize(
    "towards", [(0, 1, 0), (0, -2, 0), (0, 0, 0), (np.nan, 0, 0), (1e-30, 1e30, 0)]
)
@pytest.mark.parametrize("up", ["+y", "+z"])
def test_no_direction_is_along_the_axis(towards, up):
    axis = pages._UPS[up]
    direction = pages._choose_direction(towards, axis)
    assert np.isclose(np.linalg.norm(direction), 1)
    assert np.linalg.norm(np.cross(axis, direction)) > 0.04
