"""A store that does not fail but hangs, as network directories do: what is known goes on."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.artifact.codec import version_of
from adapters.cache import follower, store_calls
from adapters.cache.cached_store import CachedStore
from adapters.cache.store_calls import StoreCalls
from adapters.errors import StoreUnavailable, VersionNotFound
from adapters.store.directory import DirectoryStore, Pointer
from adapters.store.feed import Feed
from tests.fakes.artifacts import make_artifact
from tests.fakes.waiting import wait_until

TASKS = tuple(f"task-{number}" for number in range(20))
LIMIT_S = 0.3
SOON_S = 0.25
"""Far less than a hang, and patient with a busy machine."""


class HangingStore(DirectoryStore):
    """Every read waits for an event that a test takes away.

    It is one of an earlier version, without a feed, so that tasks are looked up all the time.
    """

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.goes_on = threading.Event()
        self.goes_on.set()
        self.asked = 0

    def feed(self) -> Feed | None:
        return None

    def current(self, task: str) -> Pointer:
        self._wait()
        return super().current(task)

    def holds(self, task: str, version: str) -> bool:
        self._wait()
        return super().holds(task, version)

    def resolve_version(self, task: str, text: str) -> str:
        self._wait()
        return super().resolve_version(task, text)

    def _wait(self) -> None:
        self.asked += 1
        assert self.goes_on.wait(60)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HangingStore]:
    monkeypatch.setattr(store_calls, "LIMIT_S", LIMIT_S)
    monkeypatch.setattr(store_calls, "PROBE_EVERY_S", LIMIT_S)
    store = HangingStore(tmp_path / "store")
    for task in TASKS:
        store.publish(make_artifact(task))
    yield store
    store.goes_on.set()


@pytest.fixture
def service(store: HangingStore) -> Iterator[CachedStore]:
    service = CachedStore(store, pointer_ttl_s=0.05)
    service.watch()
    yield service
    service.close()


def ask_all(service: CachedStore, tasks: tuple[str, ...] = TASKS) -> tuple[list[Pointer], float]:
    """Return what is current, and the longest that one of the calls took."""
    found, longest = [], 0.0
    for task in tasks:
        start = time.monotonic()
        found.append(service.current(task))
        longest = max(longest, time.monotonic() - start)
    return found, longest


def test_no_known_task_waits_for_a_store_that_hangs(
    store: HangingStore, service: CachedStore
) -> None:
    before, _ = ask_all(service)
    time.sleep(0.1)
    store.goes_on.clear()
    end = time.monotonic() + 5 * LIMIT_S
    total = 0
    while time.monotonic() < end:
        found, longest = ask_all(service)
        assert found == before
        assert longest < SOON_S
        total += len(found)
    assert total > 20 * len(TASKS)  # with one wait for each renewal it would be a few rounds


def test_what_is_published_after_a_hang_is_seen(store: HangingStore, service: CachedStore) -> None:
    ask_all(service)
    time.sleep(0.1)
    store.goes_on.clear()
    ask_all(service)
    time.sleep(2 * LIMIT_S)
    ask_all(service)
    store.goes_on.set()
    pointer = store.publish(make_artifact(TASKS[3], seed=1))
    wait_until("it is seen", lambda: service.current(TASKS[3]) == pointer, timeout_s=10)


def test_one_read_that_never_ends_does_not_keep_its_task_from_being_renewed(
    store: HangingStore, service: CachedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.current(TASKS[0])
    time.sleep(0.1)
    real, never = store.current, threading.Event()
    monkeypatch.setattr(store, "current", lambda task: never.wait(60) and real(task))
    service.current(TASKS[0])
    monkeypatch.setattr(store, "current", real)
    pointer = store.publish(make_artifact(TASKS[0], seed=1))
    wait_until("it is seen", lambda: service.current(TASKS[0]) == pointer, timeout_s=20)
    never.set()


def test_a_task_that_is_not_known_is_unavailable_within_the_limit_and_later_at_once(
    store: HangingStore, service: CachedStore
) -> None:
    store.goes_on.clear()
    start = time.monotonic()
    for task in TASKS:
        with pytest.raises(StoreUnavailable, match="has not answered for"):
            service.current(task)
    assert time.monotonic() - start < len(TASKS) * LIMIT_S / 2
    store.goes_on.set()
    wait_until("it is found", lambda: is_found(service, TASKS[-1]), timeout_s=10)


def is_found(service: CachedStore, task: str) -> bool:
    try:
        return bool(service.current(task))
    except StoreUnavailable:
        return False


def test_a_version_by_all_its_digits_resolves_while_the_store_hangs(
    store: HangingStore, service: CachedStore
) -> None:
    old = store.current(TASKS[0]).version
    store.publish(make_artifact(TASKS[0], seed=1))
    with pytest.raises(VersionNotFound):
        service.resolve_version(TASKS[0], "0" * 64)
    store.goes_on.clear()
    assert service.resolve_version(TASKS[0], old) == old
    with pytest.raises(StoreUnavailable):
        service.resolve_version(TASKS[0], old[:8])


def test_a_slow_store_takes_no_time_of_requests_for_what_is_known(
    store: HangingStore, service: CachedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, asking = store.current, []

    def slowly(task: str) -> Pointer:
        asking.append(threading.current_thread().name)
        time.sleep(0.02)
        return real(task)

    service.current(TASKS[0])
    monkeypatch.setattr(store, "current", slowly)
    end = time.monotonic() + 0.5
    while time.monotonic() < end:
        service.current(TASKS[0])
    assert set(asking) == {"store"}


class HangingFeed(HangingStore):
    """One of today: its feed hangs as everything else does."""

    def feed(self) -> Feed | None:
        self._wait()
        return self.files.feed()


def test_no_known_task_waits_for_a_store_whose_feed_hangs_and_what_is_published_is_seen(
    store: HangingStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(follower, "TRUST_S", LIMIT_S)
    hanging = HangingFeed(store.root)
    service = CachedStore(hanging, pointer_ttl_s=0.05)
    service.watch()
    wait_until("it follows", lambda: service.follows_store)
    before, _ = ask_all(service)
    hanging.goes_on.clear()
    wait_until("it does not follow", lambda: not service.follows_store)
    wait_until("it says so", lambda: "looked up twice a second" in caplog.text)
    for _ in range(3):
        found, longest = ask_all(service)
        assert found == before
        assert longest < SOON_S
    pointer = store.publish(make_artifact(TASKS[3], seed=1))
    hanging.goes_on.set()
    wait_until("it follows again", lambda: service.follows_store)
    wait_until("it is seen", lambda: service.current(TASKS[3]) == pointer)
    service.close()


def test_closing_does_not_wait_for_a_store_that_hangs(store: HangingStore) -> None:
    service = CachedStore(store, pointer_ttl_s=0.0)
    service.watch()
    service.current(TASKS[0])
    store.goes_on.clear()
    service.current(TASKS[0])
    start = time.monotonic()
    service.close()
    assert time.monotonic() - start < 1.0


def test_threads_are_few_however_many_calls_hang() -> None:
    never, calls, before = threading.Event(), StoreCalls(lambda: 0.0), set(threading.enumerate())
    for _ in range(100):
        calls.submit(lambda: never.wait(60))
    assert len(set(threading.enumerate()) - before) == store_calls.THREADS
    never.set()
    calls.close()


def test_the_version_that_a_rollback_leaves_is_not_hidden_by_a_stale_answer(
    store: HangingStore, service: CachedStore
) -> None:
    service.publish(make_artifact(TASKS[0], seed=1))
    pointer = service.rollback(TASKS[0])
    store.goes_on.clear()
    assert service.current(TASKS[0]) == pointer
    assert pointer.version == version_of(make_artifact(TASKS[0]))
