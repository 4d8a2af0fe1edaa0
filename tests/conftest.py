"""What holds for every test: whose neighbour it may be, and how it shares the machine."""

import os

import pytest

# before torch is loaded, for every process that the tests start: threads that wait for one another
# sleep, else two trainings on two busy cores take ten times as long
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


@pytest.fixture(autouse=True)
def _keep_priority(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that gives way lowers its process for good: not the one of all tests."""
    monkeypatch.setattr("adapters.program.give_way", lambda: None)
