"""The fork server: imports modules, then forks a child for every launcher that asks. Linux only.

`python -m serving.forking.server SOCKET MODULE…` prints the process id of the fork server, which
listens by then, and leaves it behind. A launcher that asks while it still imports waits. It has no
thread, and so never forks in the middle of anything: a lock that a thread held would stay locked
for ever in the child. Children of a fork server that has ended live on.
"""

import gc
import importlib
import logging
import os
import select
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from serving.forking.child import take_over
from serving.forking.request import HELLO, Request, receive

_PATIENCE_S: Final = 5.0
"""With a launcher that says nothing."""

_log = logging.getLogger(__name__)


class ForkServer:
    """Answers launchers, and tells each how its child has ended.

    Args:
        listening: where launchers come.
    """

    def __init__(self, listening: socket.socket) -> None:
        self._listening = listening
        self._children: dict[int, tuple[int, socket.socket]] = {}
        self._poll = select.poll()
        self._poll.register(listening, select.POLLIN)

    def serve(self) -> str:
        """Fork for ever; return in the children alone, with the target that each is to run.

        Raises:
            RuntimeError: this process has threads, and must not fork.
        """
        while True:
            for descriptor, _ in self._poll.poll():
                if descriptor in self._children:
                    self._bury(descriptor)
                elif (target := self._answer()) is not None:
                    return target

    def _answer(self) -> str | None:
        connection, _ = self._listening.accept()
        request = _request_of(connection)
        if request is None:
            connection.close()
            return None
        require_one_thread()
        pid = os.fork()
        if pid == 0:
            self._leave()
            take_over(request, connection)
            return request.target
        request.close()
        self._watch(pid, connection)
        return None

    def _watch(self, pid: int, connection: socket.socket) -> None:
        descriptor = os.pidfd_open(pid)
        self._children[descriptor] = pid, connection
        self._poll.register(descriptor, select.POLLIN)

    def _bury(self, descriptor: int) -> None:
        """Take note of a child that has ended, and tell its launcher how."""
        pid, connection = self._children.pop(descriptor)
        self._poll.unregister(descriptor)
        os.close(descriptor)
        _, status = os.waitpid(pid, 0)
        with suppress(OSError):  # its launcher may have ended before, and it because of that
            connection.sendall(f"ended {os.waitstatus_to_exitcode(status)}\n".encode())
        connection.close()

    def _leave(self) -> None:
        """Close, in a child, what is the fork server's."""
        self._listening.close()
        for descriptor, (_, connection) in self._children.items():
            os.close(descriptor)
            connection.close()


def require_one_thread() -> None:
    """Refuse to fork a process with threads.

    Raises:
        RuntimeError: it has some, or CUDA, which has threads where it is in use.
    """
    count = len(list(Path("/proc/self/task").iterdir()))
    if count != 1:
        raise RuntimeError(f"expected one thread before a fork, found {count}")


def _request_of(connection: socket.socket) -> Request | None:
    connection.settimeout(_PATIENCE_S)
    try:
        connection.sendall(HELLO)
        return receive(connection)
    except (OSError, ValueError, TypeError) as error:
        _log.warning("a launcher asked for nothing: %s", error)
        return None
    finally:
        connection.settimeout(None)


def listen(path: Path) -> socket.socket:
    """Listen for launchers of this user, from the socket's folder: see `launcher`."""
    os.chdir(path.parent)
    Path(path.name).unlink(missing_ok=True)
    listening = socket.socket(socket.AF_UNIX)
    before = os.umask(0o077)
    listening.bind(path.name)
    os.umask(before)
    listening.listen()
    return listening


def preload(modules: list[str]) -> None:
    """Import modules, and let go of what would keep this process from forking safely."""
    for module in modules:
        importlib.import_module(module)
    _end_threads_of_libraries()
    gc.collect()
    gc.freeze()  # or the children's collector would write to every page, and own a copy


def _end_threads_of_libraries() -> None:
    """Fork once for nothing: before that OpenBLAS ends its threads, until it needs them again."""
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


def _leave_behind() -> bool:
    """Go on in a process that nobody waits for; return whether this is it."""
    pid = os.fork()
    if pid:
        print(pid, flush=True)
        return False
    os.setsid()
    os.dup2(2, 1)
    return True


def resolve(target: str) -> Callable[[], object]:
    """Return the function that `module:function` names."""
    module, _, function = target.partition(":")
    found: Callable[[], object] = getattr(importlib.import_module(module), function)
    return found


def main(words: list[str]) -> None:
    """Be the fork server; in its children, run what they were forked for."""
    path, *modules = words
    listening = listen(Path(path))
    if _leave_behind():
        preload(modules)
        resolve(ForkServer(listening).serve())()


if __name__ == "__main__":
    main(sys.argv[1:])
