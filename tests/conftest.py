"""What holds for every test: whose neighbour it may be, and how it shares the machine."""

import os

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

# before torch is loaded, for every process that the tests start: threads that wait for one another
# sleep, else two trainings on two busy cores take ten times as long
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


SHARED = "tests/e2e/shared"
"""Whose tests ask one service."""


class ByFile(LoadFileScheduling):
    """Tests of one file run in one process, and so do all that share a service."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return SHARED if file.startswith(SHARED) else file


@pytest.hookimpl(optionalhook=True)  # of pytest-xdist
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByFile:
    """Return how tests are shared out among processes."""
    return ByFile(config, log)


@pytest.fixture(autouse=True)
def _keep_priority(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that gives way lowers its process for good: not the one of all tests."""
    monkeypatch.setattr("adapters.program.give_way", lambda: None)
