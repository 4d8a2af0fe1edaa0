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
from pathlib import Path
from typing import BinaryIO

PATIENCE_S = 60.0
"""With a fork server that still imports, or does not answer. TorchServe waits for two minutes."""


def main(socket_path: Path, target: str, argv: list[str]) -> None:
    """Stand for a forked child until it ends, and end likewise; return if there is none."""
    with socket.socket(socket.AF_UNIX) as connection, connection.makefile("rb") as answers:
        try:
            child = _ask(connection, answers, socket_path, _request(target, argv))
        except (OSError, ValueError) as error:
            print(f"no fork server answers ({error}); this takes longer", file=sys.stderr)
            return
        signal.signal(signal.SIGTERM, lambda number, _: os.kill(child, number))
        connection.settimeout(None)
        code = int(answers.readline() or 1)  # no word from a fork server that has ended meanwhile
    sys.exit(code if code >= 0 else 128 - code)


def _request(target: str, argv: list[str]) -> bytes:
    document = {
        "target": target,
        "argv": argv,
        "environment": dict(os.environ),
        "folder": str(Path.cwd()),
    }
    return json.dumps(document).encode() + b"\n"


def _ask(connection: socket.socket, answers: BinaryIO, socket_path: Path, request: bytes) -> int:
    """Return the process id of the child.

    Raises:
        OSError: nothing listens there, or it did not answer in time.
        ValueError: it ended before it had forked, or would not fork.
    """
    connection.settimeout(PATIENCE_S)
    _connect(connection, socket_path)
    if not answers.readline():  # it may have come too late, and we be somebody else by then
        raise ValueError("it ended before it took the request")
    socket.send_fds(connection, [b"\n"], [0, 1, 2])
    connection.sendall(request)
    return int(answers.readline())


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
