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
        ("LOCALHOST", True),
        ("127.1", True),
        ("0x7f000001", True),
        ("0", False),
        ("0.0.0.0", False),
        ("::", False),
        ("192.0.2.1", False),
        ("localhost.invalid", False),
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


def test_a_name_that_others_can_reach_at_one_address_is_not_local(monkeypatch):
    def resolve(*_, **__):
        return [(0, 0, 0, "", (number, 0)) for number in ("127.0.1.1", "192.0.2.1")]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    assert not addresses.is_local("workstation")


def test_a_page_may_connect_by_the_name_of_its_host(monkeypatch):
    def resolve(*_, **__):
        return [(0, 0, 0, "", ("127.0.1.1", 0))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    patterns = [p for p in addresses.find_origins("my.host") or [] if p is not None]
    for origin, allowed in {
        "http://my.host:8080": True,
        "http://localhost:8080": True,
        "http://myxhost:8080": False,
        "http://my.host.evil.example": False,
    }.items():
        assert any(p.fullmatch(origin) for p in patterns) == allowed


def test_any_origin_may_connect_where_others_can_look():
    assert addresses.find_origins("0.0.0.0") is None
