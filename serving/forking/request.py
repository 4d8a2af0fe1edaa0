"""What a launcher asks the fork server for, as it comes in over the socket."""

import json
import os
import socket
from dataclasses import dataclass

HELLO = b"\n"
"""Told to a launcher before it asks, so that none asks who has given up already."""

_STDIO = 3


@dataclass(frozen=True)
class Request:
    """One child.

    Attributes:
        target: what it runs, as `module:function`.
        argv: its `sys.argv`.
        environment: its whole environment.
        folder: its working directory.
        stdio: descriptors of its standard input, output and error, to be closed by who received it.
    """

    target: str
    argv: list[str]
    environment: dict[str, str]
    folder: str
    stdio: tuple[int, ...]

    def close(self) -> None:
        """Close this process' copies of what the child reads and writes."""
        for descriptor in self.stdio:
            os.close(descriptor)


def receive(connection: socket.socket) -> Request:
    """Read one request.

    Raises:
        OSError: whoever asked has gone, or says nothing.
        ValueError: it is none.
    """
    first, stdio, _, _ = socket.recv_fds(connection, 1, _STDIO)
    try:
        if not first:
            raise ConnectionResetError("it has given up")
        with connection.makefile("rb") as lines:
            document = json.loads(lines.readline())
        return Request(stdio=tuple(stdio), **document)
    except BaseException:
        for descriptor in stdio:
            os.close(descriptor)
        raise
