"""The fault suite in its smallest form: each row runs, and what may never happen does not.

Times and rates are for `make faults`, which measures; a loaded machine must fail no test.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.__main__ import SERVICES, STORES
from tests.faults.row import Row
from tests.faults.scene.scene import Scene, started
from tests.faults.sizes import TINY

MEASURED_ALONE = {"lost-device", "largest-images"}
"""Rows left to `make faults`: `test_device_lost_over_http.py` loses a device, and of the largest
images only the times matter."""


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with started(tmp_path_factory.mktemp("faults")) as scene:
        yield scene


def assert_holds(row: Row) -> None:
    found = {what: count for what, count in row.must_be_0.items() if count}
    assert not found, f"{row.fault}: {row.figure}; {row.conditions}"


@pytest.mark.parametrize("name", STORES)
def test_a_store_survives(name: str, tmp_path: Path) -> None:
    assert_holds(STORES[name](tmp_path, TINY))


@pytest.mark.parametrize("name", [name for name in SERVICES if name not in MEASURED_ALONE])
def test_the_service_survives(name: str, scene: Scene) -> None:
    try:
        assert_holds(SERVICES[name](scene, TINY))
    finally:
        scene.make_whole()
