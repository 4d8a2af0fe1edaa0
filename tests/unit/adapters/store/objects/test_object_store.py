import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from operator import methodcaller

import pytest

from adapters.artifact.codec import version_of
from adapters.errors import StoreUnavailable
from adapters.store.audit import audit
from adapters.store.directory import Change, Store
from adapters.store.feed import FEED
from adapters.store.garbage import collect_garbage
from adapters.store.objects.files import ObjectFiles
from adapters.store.objects.pages import DELETION_S, MOST_LINES, with_marks
from adapters.store.objects.seam import Expected, Objects
from adapters.store.objects.store import ObjectStore
from tests.fakes.artifacts import make_artifact
from tests.fakes.fragile_bucket import FragileBucket
from tests.fakes.stores import memory_bucket

DATA = [make_artifact(seed=seed) for seed in range(4)]
VERSIONS = [version_of(data) for data in DATA]
DAY_S = 86400.0
MOST_REQUESTS = 40


def store_on(objects: Objects, *, days: float = 0) -> ObjectStore:
    """Return a store whose clock is days ahead."""
    return ObjectStore(ObjectFiles(objects), lambda: datetime.now(UTC) + timedelta(days=days))


def prepared() -> Objects:
    """Return a bucket in which four versions of a task answered, one after the other."""
    bucket = memory_bucket()
    store = store_on(bucket)
    for data in DATA[:3]:
        store.publish(data)
    store.publish(DATA[3], canary=0.1)
    return bucket


def collect(store: Store) -> object:
    return collect_garbage(store, "pets", keep=1, older_than_s=DAY_S)


CHANGES: dict[str, Callable[[Store], object]] = {
    "publish": methodcaller("publish", make_artifact(seed=9)),
    "publish again": methodcaller("publish", DATA[0]),
    "promote": methodcaller("promote", "pets"),
    "rollback": methodcaller("rollback", "pets"),
    "end of the canary": methodcaller("end_canary", "pets"),
    "pin": methodcaller("pin", "pets", VERSIONS[0]),
    "removal": methodcaller("remove", "pets", VERSIONS[0]),
    "gc": collect,
}


def state(store: Store) -> tuple[object, ...]:
    record = store.record("pets")
    return record.pointer, record.history, record.pinned, record.revision


def check_whole(store: Store) -> None:
    """Nothing that the record names is missing or damaged, and the log leads to it."""
    assert [one for one in audit(store) if one.damage] == []
    entries, record = store.log("pets"), store.record("pets")
    assert entries[-1].number == (record.sequence, record.revision)
    assert [one.sequence for one in entries] == sorted(one.sequence for one in entries)


@pytest.mark.parametrize("name", CHANGES)
def test_a_server_that_dies_at_any_request_leaves_the_old_state_or_the_new_one(name: str) -> None:
    change = CHANGES[name]
    for number in range(1, MOST_REQUESTS):
        bucket = prepared()
        before = state(store_on(bucket))
        fragile = FragileBucket(bucket, dies_at=number)
        whole = prepared()
        change(store_on(whole, days=9))
        try:
            change(store_on(fragile, days=9))
        except StoreUnavailable:
            found = state(store_on(bucket))
            assert found[0] in (before[0], state(store_on(whole))[0])
            check_whole(store_on(bucket))
        if not fragile.is_dead:
            return
    pytest.fail("it needs more requests than expected")


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_whose_answers_are_lost_is_known_by_its_id_and_made_once(name: str) -> None:
    counting = FragileBucket(prepared())
    CHANGES[name](store_on(counting, days=9))
    expected = store_on(counting).record("pets").sequence
    puts = [one for one in counting.requests if one.startswith(("put", "delete"))]
    for number, request in enumerate(puts, start=1):
        if not request.startswith("put records/"):
            continue
        bucket = prepared()
        CHANGES[name](store_on(FragileBucket(bucket, loses=[number]), days=9))
        assert store_on(bucket).record("pets").sequence == expected
        check_whole(store_on(bucket))


def test_a_retry_with_the_same_id_is_recognised_long_after() -> None:
    store = store_on(memory_bucket())
    first = store.publish(DATA[0], change=Change(id="first"))
    for number in range(3 * MOST_LINES):
        store.publish(DATA[1 + number % 2])
    assert store.publish(DATA[0], change=Change(id="first")) == first
    assert len(store.log("pets")) == 1 + 3 * MOST_LINES


def test_publishers_that_race_lose_no_update() -> None:
    bucket, told = memory_bucket(), list[int]()

    def publish(seed: int) -> None:
        store = store_on(bucket)
        told.extend(
            store.publish(make_artifact(seed=100 * seed + number)).sequence for number in range(25)
        )

    threads = [threading.Thread(target=publish, args=(seed,)) for seed in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    store = store_on(bucket)
    assert sorted(told) == list(range(1, 101))
    assert [entry.sequence for entry in store.log("pets")] == sorted(told)
    check_whole(store)


def test_who_has_read_too_early_makes_the_change_again() -> None:
    bucket = memory_bucket()
    store, other = store_on(bucket), store_on(bucket)
    store.publish(DATA[0])
    real, raced = store.files.write_artifact, threading.Event()

    def write(task: str, version: str, data: bytes) -> None:
        if not raced.is_set():
            raced.set()
            other.publish(DATA[1])
        real(task, version, data)

    store.files.write_artifact = write  # type: ignore[method-assign]
    assert store.publish(DATA[2]).sequence == 3
    assert [entry.version for entry in store.history("pets")] == VERSIONS[:3]


def test_no_publish_counts_on_a_version_that_is_being_deleted() -> None:
    bucket = memory_bucket()
    store = store_on(bucket)
    store.publish(DATA[0])
    store.publish(DATA[1])
    files = ObjectFiles(bucket)
    now = datetime.now(UTC)
    files.write_record("pets", with_marks(files.record("pets"), [VERSIONS[0]], now))
    publisher = threading.Thread(target=store.publish, args=(DATA[0],))
    publisher.start()
    publisher.join(0.3)
    assert publisher.is_alive()
    files._delete_marked("pets", [VERSIONS[0]], 1e18)  # as its collector would go on
    publisher.join()
    assert store.current("pets").version == VERSIONS[0]
    check_whole(store)


def test_what_a_dead_collector_began_is_finished_by_the_next_change() -> None:
    bucket = memory_bucket()
    store = store_on(bucket)
    store.publish(DATA[0])
    store.publish(DATA[1])
    files = ObjectFiles(bucket)
    then = datetime.now(UTC) - timedelta(seconds=2 * DELETION_S)
    files.write_record("pets", with_marks(files.record("pets"), [VERSIONS[0]], then))
    assert store.publish(DATA[0]).sequence == 3
    check_whole(store)


def test_the_feed_is_one_request_that_brings_nothing_where_nothing_moved() -> None:
    counting = FragileBucket(prepared())
    store = store_on(counting)
    first = store.feed()
    counting.requests.clear()
    assert store.feed() is first
    assert counting.requests == [f"get {FEED}"]
    store_on(counting).rollback("pets")
    assert store.feed() != first


def test_tasks_are_listed_without_a_request_for_each() -> None:
    counting = FragileBucket(memory_bucket())
    store = store_on(counting)
    for number in range(12):
        store.publish(make_artifact(f"task{number:02d}"))
    counting.requests.clear()
    assert store.tasks() == [f"task{number:02d}" for number in range(12)]
    assert counting.requests == ["list records"]


class _TakesEverything(FragileBucket):
    """A server that ignores If-Match and If-None-Match."""

    def put(self, key: str, data: bytes, expected: object = None) -> str:
        return super().put(key, data, Expected.ANYTHING)


def test_a_server_without_conditional_writes_is_refused_at_the_first_publish() -> None:
    bucket = memory_bucket()
    with pytest.raises(StoreUnavailable, match="If-Match"):
        store_on(_TakesEverything(bucket)).publish(DATA[0])
    assert bucket.list("", deep=True).keys == []
