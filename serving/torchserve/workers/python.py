"""What TorchServe takes for Python: a program that gets its workers from the fork server."""

import os
import sys
from pathlib import Path
from shlex import quote
from typing import Final

from serving.forking import launcher
from serving.launch.fork_server import SOCKET

PYTHON: Final = "worker-python"
"""The program, in a launch's folder."""

_TARGET: Final = "serving.torchserve.workers.worker:run"

_SCRIPT: Final = """\
#!/bin/sh
# What TorchServe runs as Python: its workers come from the fork server, all else is plain Python.
case "$1" in
*/model_service_worker.py) exec {python} -I -S {launcher} {socket} {target} "$@" ;;
esac
exec {python} "$@"
"""


def write_python(folder: Path) -> None:
    """Write the program, where this system has fork servers.

    Raises:
        OSError: the folder cannot be written.
    """
    if sys.platform != "linux":
        return
    path = folder.resolve() / PYTHON
    words = {
        "python": sys.executable,
        "launcher": launcher.__file__,
        "socket": str(path.with_name(SOCKET)),
        "target": _TARGET,
    }
    path.write_text(_SCRIPT.format(**{name: quote(word) for name, word in words.items()}))
    path.chmod(0o700)


def worker_python(folder: Path) -> Path | None:
    """Return the program.

    Returns:
        None where TorchServe must take Python itself: none was written, or no program may run from
        where the folder is.
    """
    path = folder.resolve() / PYTHON
    return path if os.access(path, os.X_OK) else None
