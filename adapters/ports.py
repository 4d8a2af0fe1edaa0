"""Ports of the loopback for servers that nobody asks for by number."""

import random
import socket
from collections.abc import Collection
from pathlib import Path
from typing import Final

_HOST: Final = "127.0.0.1"
_LOWEST: Final = 10_000
_RANGE: Final = Path("/proc/sys/net/ipv4/ip_local_port_range")
_USUAL_FIRST: Final = 32_768
"""First port of connections that go out; other systems than Linux begin higher."""


def free_ports(count: int, taken: Collection[int] = ()) -> tuple[int, ...]:
    """Return TCP ports of the loopback, in a row, that nobody listens on right now.

    They lie below those that the system gives to outgoing connections: one of these could take a
    port before the server that it was chosen for.

    Args:
        count: of ports, at least 1.
        taken: ports that others will listen on soon.
    """
    starts = range(_LOWEST, _first_outgoing() - count)
    while True:
        first = random.choice(starts)
        ports = tuple(range(first, first + count))
        if all(map(is_free, ports)) and not set(taken) & set(ports):
            return ports


def _first_outgoing() -> int:
    try:
        first = int(_RANGE.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return _USUAL_FIRST
    return first if first > 2 * _LOWEST else _USUAL_FIRST


def is_free(port: int) -> bool:
    """Return whether nobody listens on a port of the loopback right now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except OSError:
            return False
    return True
