"""What a child of the fork server does before it runs: it becomes what its launcher asked for."""

import fcntl
import os
import signal
import socket
import sys
import tempfile

from serving.forking.request import Request


def take_over(request: Request, connection: socket.socket) -> None:
    """Give this process what a new one would have been started with, and tie it to its launcher."""
    connection.sendall(f"pid {os.getpid()}\n".encode())
    _end_with_peer(connection)
    connection.detach()  # it stays open to the end of this process
    for number, descriptor in enumerate(request.stdio):
        os.dup2(descriptor, number)
    request.close()
    os.chdir(request.folder)
    os.environ.clear()
    os.environ.update(request.environment)
    sys.argv = request.argv
    named = request.environment.get("PYTHONPATH", "").split(os.pathsep)
    sys.path[:0] = [folder for folder in named if folder and folder not in sys.path]
    tempfile.tempdir = None  # which an import may have looked up in another environment


def _end_with_peer(connection: socket.socket) -> None:
    """Have the kernel kill this process as soon as its launcher ends, however busy it is then.

    A signal for input is sent when the other end is closed, too; nothing else comes in there.
    """
    fcntl.fcntl(connection, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(connection, fcntl.F_SETSIG, signal.SIGKILL)
    flags = fcntl.fcntl(connection, fcntl.F_GETFL)
    fcntl.fcntl(connection, fcntl.F_SETFL, flags | os.O_ASYNC)
    try:
        gone = connection.recv(1, socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        gone = False
    if gone:  # before the kernel watched
        os._exit(1)
