"""Small things to fork: what a child is, and how it ends."""

import json
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path


def tell() -> None:
    """Write to standard output what this process is, and end with the code that it is told."""
    known = {
        "argv": sys.argv,
        "environment": dict(os.environ),
        "folder": str(Path.cwd()),
        "parent": os.getppid(),
        "path": sys.path,
        "temporary": tempfile.gettempdir(),
        "random": random.random(),
        "descriptors": [os.path.realpath(one) for one in Path("/proc/self/fd").iterdir()],
        "heard": sys.stdin.read(),
    }
    print(json.dumps(known))
    print("an error", file=sys.stderr)
    sys.exit(int(sys.argv[0]))


def fail() -> None:
    """Raise what nobody catches."""
    raise ValueError("nothing will come of it")


def wait() -> None:
    """Say who this is, and wait for SIGTERM; end with 7 then."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
    print(os.getpid(), flush=True)
    while True:
        time.sleep(600)


def work() -> None:
    """Say who this is, and hold the interpreter's lock for minutes."""
    print(os.getpid(), flush=True)
    pow(3, 10**9)
