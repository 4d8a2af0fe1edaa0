"""A service whose trunk runs in ONNX Runtime answers what the engine of this process answers.

Told to end by the command, it answers everybody it let in, and refuses the others cleanly.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.ports import free_ports
from serving.__main__ import main
from serving.launch.launch import Launch
from serving.service import start, stop, why_not_ready
from tests.e2e.service import TASKS, Load, Published, Service, asks, assert_drained
from tests.fakes.waiting import wait_until


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command's export."""
    folder = tmp_path_factory.mktemp("exported") / "onnx"
    assert main(["export", "--out", str(folder)]) == 0
    return folder


@pytest.fixture(scope="module")
def served(published: Published, exported: Path) -> Iterator[Service]:
    """A service of it; the last test of it stops it."""
    launch = Launch(
        folder=exported.parent / "serve",
        store=published.source.store.root,
        ports=free_ports(3),
        settings={"backend": "onnx", "onnx": str(exported), "preload": "all"},
    )
    start(launch)
    yield published.served(launch.folder)
    stop(launch.folder)
