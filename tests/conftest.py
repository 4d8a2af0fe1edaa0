"""What holds for every test: whose neighbour it may be, and how it shares the machine."""

import os

import pytest

# before torch is loaded, for every process that the tests start: threads that wait for one another
# sleep, else two trainings on two busy cores take ten times as long
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let tests of one file run in one process, and those of the one real service as well.

    What a file or the service sets up is then set up once, however many processes share the work.
    """
    for item in items:
        is_of_the_service = "running" in getattr(item, "fixturenames", ())
        group = "service" if is_of_the_service else str(item.path.relative_to(config.rootpath))
        item.add_marker(pytest.mark.xdist_group(group))


@pytest.fixture(autouse=True)
def _keep_priority(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that gives way lowers its process for good: not the one of all tests."""
    monkeypatch.setattr("adapters.program.give_way", lambda: None)
