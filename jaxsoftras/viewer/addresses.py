"""Addresses that a viewer is served at."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import re
import socket

from jaxsoftras import terminal

LOCAL_ORIGIN = re.compile(r"https?://(localhost|127(\.\d+){3}|\[::1\])(:\d+)?")
"""Origins of pages that this machine serves to itself, at any port: a tunnel may show
the viewer at another one."""

_WHY = {
    errno.EADDRINUSE: "it is taken; choose another one by --port, or a free one by "
    "--port 0",
    errno.EACCES: "it needs rights of the system; choose one from 1024 by --port",
    errno.EADDRNOTAVAIL: "this machine does not have that address; choose another "
    "--host",
}


def find_port(host: str, port: int) -> int:
    """Finds a port that can be listened at.

    Args:
        host: name or address of this machine.
        port: the wanted port; 0 for any that is free.

    Raises:
        ProgramError: there is no such host, or the port cannot be had.
    """
    try:
        found = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except (OSError, UnicodeError):
        raise terminal.ProgramError(
            f"There is no host {host!r}; name one of this machine by --host."
        ) from None
    with contextlib.ExitStack() as opened:
        for family, kind, protocol, _, address in found:
            listening = opened.enter_context(socket.socket(family, kind, protocol))
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            try:
                # the same port for all addresses of a name
                listening.bind((address[0], port, *address[2:]))
                listening.listen()
            except OSError as error:
                reason = _WHY.get(error.errno or 0, error.strerror)
                raise terminal.ProgramError(
                    f"Port {port} of {host} cannot be used: {reason}."
                ) from None
            port = listening.getsockname()[1]
    return port


def is_local(host: str) -> bool:
    """Tells whether only this machine can reach a host, at all of its addresses."""
    try:
        found = socket.getaddrinfo(
            host, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except (OSError, UnicodeError):
        return False
    numbers = [str(address[0]).partition("%")[0] for *_, address in found]
    return all(ipaddress.ip_address(number).is_loopback for number in numbers)


def find_origins(host: str) -> list[re.Pattern[str] | None] | None:
    """Finds the origins of pages that may connect to a server.

    Args:
        host: where it listens.

    Returns:
        Those of this machine, and None for programs that are no browsers, if only this
        machine can reach the host; None in place of a list for any origin.
    """
    if not is_local(host):
        return None
    own = re.compile(rf"https?://{re.escape(host)}(:\d+)?", re.IGNORECASE)
    return [LOCAL_ORIGIN, own, None]


def write_address(host: str, port: int) -> str:
    """Address to open in a browser on this machine."""
    if host in ("0.0.0.0", "::", ""):
        host = "localhost"
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"
