"""Publishers in several processes on a real S3 server."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from adapters.artifact.codec import version_of
from adapters.cache.cached_store import CachedStore
from adapters.errors import StoreUnavailable
from adapters.store.audit import audit
from adapters.store.objects.files import ObjectFiles
from adapters.store.objects.opened import store_at
from adapters.store.objects.store import ObjectStore
from adapters.store.record import Pointer
from tests.fakes.artifacts import make_artifact
from tests.fakes.crashes import PROCESSES
from tests.fakes.fragile_bucket import FragileBucket
from tests.fakes.races import lost_updates, race
from tests.fakes.seaweed import Seaweed
from tests.fakes.waiting import wait_until

pytestmark = pytest.mark.scale

PUBLISHERS, EACH = 4, 250
ROUNDS = 40
TASKS = 10_000


def publish_many(address: str, first: int) -> None:
    store = store_at(Path(address))
    for seed in range(first, first + EACH):
        store.publish(make_artifact(seed=seed))


def test_of_a_thousand_racing_publishes_none_is_lost(server: Seaweed) -> None:
    address = server.make_bucket("thousand")
    publishers = [
        PROCESSES.Process(target=publish_many, args=(address, 1 + EACH * number))
        for number in range(PUBLISHERS)
    ]
    for publisher in publishers:
        publisher.start()
    for publisher in publishers:
        publisher.join()
    assert [publisher.exitcode for publisher in publishers] == [0] * PUBLISHERS
    store = store_at(Path(address))
    entries = store.log("pets")
    assert [entry.sequence for entry in entries] == list(range(1, PUBLISHERS * EACH + 1))
    assert len({entry.version for entry in entries}) == PUBLISHERS * EACH
    assert len(store.versions("pets")) == PUBLISHERS * EACH


def test_publishers_that_expect_what_they_saw_lose_no_update(server: Seaweed) -> None:
    address = server.make_bucket("expecting")
    store = store_at(Path(address))
    store.publish(make_artifact(seed=0))
    rounds = race(Path(address), ROUNDS)
    assert lost_updates(rounds) == []
    assert store.current("pets").sequence == 1 + ROUNDS


def test_a_server_killed_under_a_publisher_has_the_old_state_or_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    server = Seaweed(tmp_path / "weed")
    try:
        server.start()
        store = store_at(Path(server.make_bucket("killed")))
        last = store.publish(make_artifact(seed=0))
        for number in range(1, 4):
            told: list[Pointer] = []

            def publish(first: int = 1000 * number, told: list[Pointer] = told) -> None:
                seed = first
                while True:
                    seed += 1
                    try:
                        told.append(store.publish(make_artifact(seed=seed)))
                    except StoreUnavailable:
                        return

            publisher = threading.Thread(target=publish)
            publisher.start()
            wait_until("it publishes", lambda told=told: len(told) > 3)
            server.kill()
            publisher.join()
            last = told[-1]
            server.start()
            wait_until("the store answers", lambda: is_there(store))
            assert store.current("pets").sequence in (last.sequence, last.sequence + 1)
            assert [one for one in audit(store) if one.damage] == []
    finally:
        server.kill()


def is_there(store: ObjectStore) -> bool:
    try:
        return store.current("pets").sequence > 0
    except StoreUnavailable:
        return False


def test_ten_thousand_tasks_start_in_seconds_and_cost_a_few_requests_a_second(
    server: Seaweed,
) -> None:
    store = store_at(Path(server.make_bucket("tasks")))
    assert isinstance(store.files, ObjectFiles)
    data = make_artifact("task00000")
    store.publish(data)
    record = store.files.objects.get("records/task00000.json")
    assert record is not None
    objects = store.files.objects
    with ThreadPoolExecutor(8) as pool:
        names = (f"records/task{number:05d}.json" for number in range(TASKS))
        list(pool.map(lambda name: objects.put(name, record.data), names))
    counting = FragileBucket(objects)
    source = CachedStore(ObjectStore(ObjectFiles(counting)))
    begun_at = time.monotonic()
    source.watch()
    try:
        assert len(source.tasks()) == TASKS
        assert time.monotonic() - begun_at < 5
        for number in range(0, TASKS, 100):
            source.current(f"task{number:05d}", 60.0)
        counting.requests.clear()
        time.sleep(10)
        assert len(counting.requests) <= 30
        assert source.current("task00000").version == version_of(data)
    finally:
        source.close()
