"""A process, and the record of a launch that started it."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from serving.launch.running import Running, created, write

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    """Yield a process that would run for ten minutes."""
    with subprocess.Popen(SLEEP) as process:
        yield process
        process.kill()


@pytest.fixture
def recorded(tmp_path: Path, process: subprocess.Popen[bytes]) -> Running:
    """Return a record, in `tmp_path`, of that process."""
    running = Running(
        url="http://127.0.0.1:1",
        management_url="http://127.0.0.1:2",
        processes={process.pid: created(process.pid)},
        scratch=tmp_path / "scratch",
        redis_url="redis://:password@127.0.0.1:6379/0",
        drain_s=30.0,
    )
    running.scratch.mkdir()
    write(tmp_path, running)
    return running
