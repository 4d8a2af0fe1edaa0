from pathlib import Path

import pytest

from adapters.artifact.codec import version_of
from adapters.store.audit import audit
from adapters.store.directory import DirectoryStore
from tests.fakes.artifacts import make_artifact
from tests.fakes.crashes import PROCESSES
from tests.fakes.races import lost_updates, race
from tests.fakes.waiting import wait_until

FIRST, SECOND, THIRD = (make_artifact(seed=seed) for seed in range(3))
ROUNDS = 50


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    store = DirectoryStore(tmp_path / "store")
    store.publish(FIRST)
    return store


def test_publishers_that_expect_what_they_saw_lose_no_update(store: DirectoryStore) -> None:
    rounds = race(store.root, ROUNDS)
    assert lost_updates(rounds) == []
    assert store.current("pets").sequence == 1 + ROUNDS
    winners = [version_of(FIRST), *(one.wins[0].version for one in rounds)]
    assert [entry.version for entry in store.history("pets")] == winners
    assert [finding for finding in audit(store) if finding.damage] == []


def test_a_writer_killed_by_the_system_frees_the_lock_and_loses_nothing(
    store: DirectoryStore,
) -> None:
    writer = PROCESSES.Process(target=publish_for_ever, args=(store.root,))
    writer.start()
    wait_until("it publishes", lambda: store.current("pets").sequence > 3)
    writer.kill()
    writer.join()
    before = store.current("pets")
    assert store.read("pets", before.version) in (SECOND, THIRD)
    assert store.publish(FIRST).sequence == before.sequence + 1


def publish_for_ever(root: Path) -> None:
    store = DirectoryStore(root)
    while True:
        for data in (SECOND, THIRD):
            store.publish(data)
