"""What holds for every test: whose neighbour it may be, and how it shares the machine."""

import os

import pytest

# before torch is loaded, for every process that the tests start: threads that wait for one another
# sleep, else two trainings on two busy cores take ten times as long
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of one file run in one process, and so do all that ask the shared service."""
    for item in items:
        shared = "running" in getattr(item, "fixturenames", ())
        item.add_marker(pytest.mark.xdist_group("shared-service" if shared else item.path.stem))


@pytest.fixture(autouse=True)
def _keep_priority(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that gives way lowers its process for good: not the one of all tests."""
    monkeypatch.setattr("adapters.program.give_way", lambda: None)
