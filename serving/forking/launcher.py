"""A small program in the place of a large one: the fork server makes that, and this stands for it.

`python -I -S launcher.py SOCKET TARGET PROGRAM [ARGUMENT…]` hands all that it was given itself to
the fork server of that socket. The child belongs to the fork server, so this program stays in its
place: it passes SIGTERM on, ends as the child ends, and takes the child along when it is killed.
Where no fork server answers it becomes `python PROGRAM [ARGUMENT…]`.

Imports nothing of ours and little else: a fork server is there to save such time.
"""

import json
import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

_PATIENCE_S = 60.0
"""With a fork server that still imports, or does not answer. TorchServe waits for two minutes."""


def main(socket_path: Path, target: str, argv: list[str]) -> None:
    """Stand for a forked child until it ends, and end likewise; return if there is none."""
    with socket.socket(socket.AF_UNIX) as connection, connection.makefile("rb") as answers:
        try:
            _await_turn(connection, answers, socket_path)
            with _sigterm_held_back():
                child = _ask(connection, answers, _request(target, argv))
                signal.signal(signal.SIGTERM, lambda number, _: os.kill(child, number))
        except (OSError, ValueError) as error:
            print(f"no fork server answers ({error}); this takes longer", file=sys.stderr)
            return
        connection.settimeout(None)
        code = _number(answers, "ended", 1)  # nobody says so if the fork server ended before
    sys.exit(code if code >= 0 else 128 - code)


def _request(target: str, argv: list[str]) -> bytes:
    document = {
        "target": target,
        "argv": argv,
        "environment": dict(os.environ),
        "folder": str(Path.cwd()),
    }
    return json.dumps(document).encode() + b"\n"


def _await_turn(connection: socket.socket, answers: BinaryIO, socket_path: Path) -> None:
    """Return once the fork server listens: to ask before would leave it a request without a sender.

    Raises:
        OSError: nothing listens there, or it did not answer in time.
        ValueError: it ended before.
    """
    connection.settimeout(_PATIENCE_S)
    _connect(connection, socket_path)
    if not answers.readline():
        raise ValueError("it ended while it imported")


@contextmanager
def _sigterm_held_back() -> Iterator[None]:
    """Let SIGTERM wait until there is a child to pass it on to."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})


def _ask(connection: socket.socket, answers: BinaryIO, request: bytes) -> int:
    """Return the process id of the child; errors as above."""
    socket.send_fds(connection, [b"\n"], [0, 1, 2])
    connection.sendall(request)
    child = _number(answers, "pid", 0)
    if not child:
        raise ValueError("it has not forked")
    return child


def _number(answers: BinaryIO, name: str, default: int) -> int:
    """Return the number of a line such as `pid 123`; the default if its name is another."""
    found, _, number = answers.readline().decode().partition(" ")
    return int(number) if found == name else default


def _connect(connection: socket.socket, path: Path) -> None:
    """Connect from the socket's folder: a whole path may be longer than the kernel takes."""
    here = Path.cwd()
    os.chdir(path.parent)
    try:
        connection.connect(path.name)
    finally:
        os.chdir(here)


if __name__ == "__main__":
    _, where, what, *program = sys.argv
    main(Path(where), what, program)
    os.execv(sys.executable, [sys.executable, *program])
