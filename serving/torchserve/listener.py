"""A port on which another process listens, closed from outside. Linux only.

The kernel lends us a copy of another process's socket (pidfd_getfd) where we may trace it: it is
of the same user, and under Yama or in a container also our descendant. What is set on the copy
holds for the original, so nobody new is let in while those who are connected stay connected.
"""

import ctypes
import errno
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import psutil

from serving.newcomers import turn_away

_PIDFD_GETFD: Final = 438  # the same on every architecture
_TCP_INFO_BYTES: Final = 104
_LAST_DATA_RECEIVED: Final = 52  # its place in the kernel's tcp_info, in milliseconds before now
_NEVER: Final = frozenset({errno.EPERM, errno.ENOSYS})


class Listener:
    """One port of another process.

    Args:
        process: who listens.
        port: where.
    """

    def __init__(self, process: psutil.Process, port: int) -> None:
        self._process = process
        self._port = port

    def close(self) -> None:
        """Have the kernel refuse connections from now on; those that exist go on.

        A connection that is made but not yet accepted would be reset, so at first newcomers are
        left waiting at the door, until the process has accepted the others.

        Raises:
            OSError: the kernel does not lend us the socket.
        """
        for descriptor in self._descriptors(psutil.CONN_LISTEN):
            with _borrowed(self._process.pid, descriptor) as listening:
                turn_away(listening)
                listening.shutdown(socket.SHUT_RDWR)

    def num_callers(self) -> int:
        """Return how many are connected."""
        return len(self._descriptors(psutil.CONN_ESTABLISHED))

    def silent_s(self) -> float:
        """Return since when no caller who is connected has sent anything; for ever if none is.

        Raises:
            OSError: the kernel does not lend us the sockets.
        """
        callers = self._descriptors(psutil.CONN_ESTABLISHED)
        return min(map(self._silent_s, callers), default=float("inf"))

    def _silent_s(self, descriptor: int) -> float:
        try:
            with _borrowed(self._process.pid, descriptor) as caller:
                info = caller.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_BYTES)
        except OSError as error:
            if error.errno in _NEVER:
                raise
            return 0.0  # it has been closed since; look again
        (milliseconds,) = struct.unpack_from("=I", info, _LAST_DATA_RECEIVED)
        return float(milliseconds / 1000)

    def _descriptors(self, status: str) -> list[int]:
        try:
            connections = self._process.net_connections("tcp")
        except psutil.Error:
            return []
        return [c.fd for c in connections if c.laddr.port == self._port and c.status == status]


@contextmanager
def _borrowed(pid: int, descriptor: int) -> Iterator[socket.socket]:
    """Hold a copy of another process's socket."""
    if not hasattr(os, "pidfd_open"):
        raise OSError(errno.ENOSYS, "this system does not lend sockets")
    process = os.pidfd_open(pid)
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        copy = libc.syscall(_PIDFD_GETFD, process, descriptor, 0)
        if copy < 0:
            number = ctypes.get_errno()
            raise OSError(number, f"socket of process {pid}: {os.strerror(number)}")
    finally:
        os.close(process)  # the copy lives without it
    with socket.socket(fileno=copy) as found:
        yield found
