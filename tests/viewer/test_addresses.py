import socket

import pytest

from jaxsoftras import terminal
from jaxsoftras.viewer import addresses


def test_a_free_port_is_found():
    port = addresses.find_port("127.0.0.1", 0)
    assert 0 < port < 65536
    assert addresses.find_port("localhost", port) == port


def test_a_port_that_is_taken_is_refused():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(terminal.ProgramError, match=f"^Port {port} .*--port 0"):
            addresses.find_port("127.0.0.1", port)


@pytest.mark.parametrize(
    "host", ["no.such.host.invalid", "a b", "x" * 300, "\N{SNOWMAN}.invalid"]
)
def test_an_unknown_host_is_refused(host):
    with pytest.raises(terminal.ProgramError, match="^There is no host .*--host"):
        addresses.find_port(host, 0)


def test_an_address_of_another_machine_is_refused():
    with pytest.raises(terminal.ProgramError, match="does not have that address"):
        addresses.find_port("192.0.2.1", 0)  # of documentation


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1", True),
        ("127.3.2.1", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("example.org", False),
        ("localhost.example.org", False),
    ],
)
def test_hosts_that_others_cannot_reach(host, local):
    assert addresses.is_local(host) == local


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "http://127.0.0.1:80/"),
        ("0.0.0.0", "http://localhost:80/"),
        ("::1", "http://[::1]:80/"),
    ],
)
def test_address_to_open(host, address):
    assert addresses.write_address(host, 80) == address


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("http://127.0.0.1:8080", True),
        ("http://localhost:9000", True),
        ("https://localhost", True),
        ("http://[::1]:8080", True),
        ("http://evil.example", False),
        ("http://localhost.evil.example:8080", False),
        ("http://127.0.0.1.evil.example", False),
        ("http://evil.example/localhost:8080", False),
        ("null", False),
    ],
)
def test_origins_of_this_machine(origin, allowed):
    assert bool(addresses.LOCAL_ORIGIN.fullmatch(origin)) == allowed
