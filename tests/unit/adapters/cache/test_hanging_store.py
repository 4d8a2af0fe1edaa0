"""A store that does not fail but hangs, as network directories do: what is known goes on."""

import statistics
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest

from adapters.artifact.codec import version_of
from adapters.cache import cached_store, follower, places, store_calls
from adapters.cache.cached_store import CachedStore
from adapters.cache.store_calls import StoreCalls
from adapters.errors import StoreUnavailable, VersionNotFound
from adapters.store.directory import Pointer
from adapters.store.feed import Feed
from tests.fakes.artifacts import make_artifact
from tests.fakes.hanging_store import HANGS_S, HangingStore
from tests.fakes.waiting import wait_until
from tests.unit.adapters.cache.world import Clock, MemoryCache

TASKS = tuple(f"task-{number}" for number in range(20))
LIMIT_S = 1.0
SOON_S = 0.9
"""Less than a call may hang, and patient with a busy machine."""


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HangingStore]:
    monkeypatch.setattr(store_calls, "LIMIT_S", LIMIT_S)
    monkeypatch.setattr(store_calls, "PROBE_EVERY_S", LIMIT_S)
    for module in (cached_store, places):
        monkeypatch.setattr(module, "LONG_S", LIMIT_S)
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
    """Return what is current, and what most calls took less than; a busy machine stops a few."""
    found, took_s = [], []
    for task in tasks:
        start = time.monotonic()
        found.append(service.current(task))
        took_s.append(time.monotonic() - start)
    return found, statistics.quantiles(took_s, n=10)[-1]


def test_no_known_task_waits_for_a_store_that_hangs(
    store: HangingStore, service: CachedStore
) -> None:
    before, _ = ask_all(service)
    time.sleep(0.1)
    store.goes_on.clear()
    end = time.monotonic() + 5 * LIMIT_S
    total = 0
    while time.monotonic() < end:
        found, most = ask_all(service)
        assert found == before
        assert most < SOON_S
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
    wait_until("it is seen", lambda: service.current(TASKS[3]) == pointer)


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
    wait_until("it is seen", lambda: service.current(TASKS[0]) == pointer)
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
    wait_until("it is found", lambda: is_found(service, TASKS[-1]))


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
        found, most = ask_all(service)
        assert found == before
        assert most < SOON_S
    pointer = store.publish(make_artifact(TASKS[3], seed=1))
    hanging.goes_on.set()
    wait_until("it follows again", lambda: service.follows_store)
    wait_until("it is seen", lambda: service.current(TASKS[3]) == pointer)
    service.close()


def test_what_the_follower_waited_for_in_vain_nobody_waits_for(
    store: HangingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_calls, "PATIENCE_S", 30.0)
    monkeypatch.setattr(follower, "TRUST_S", 6 * LIMIT_S)
    hanging = HangingFeed(store.root)
    service = CachedStore(hanging)
    service.watch()
    wait_until("it follows", lambda: service.follows_store)
    before, _ = ask_all(service)
    hanging.goes_on.clear()
    wait_until("it does not follow", lambda: not service.follows_store)
    start = time.monotonic()
    assert ask_all(service)[0] == before
    assert time.monotonic() - start < 15.0
    hanging.goes_on.set()
    service.close()


def test_a_store_that_hangs_already_is_watched_and_known_when_it_answers(
    store: HangingStore,
) -> None:
    cache = MemoryCache()
    service = CachedStore(store, cache, pointer_ttl_s=0.05)
    store.goes_on.clear()
    start = time.monotonic()
    service.watch()
    assert time.monotonic() - start < 15.0
    store.goes_on.set()
    wait_until("it is known which store it is", lambda: cache.store_id == store.identity())
    service.close()


def test_closing_does_not_wait_for_a_store_that_hangs(store: HangingStore) -> None:
    service = CachedStore(store, pointer_ttl_s=0.0)
    service.watch()
    service.current(TASKS[0])
    store.goes_on.clear()
    service.current(TASKS[0])
    start = time.monotonic()
    service.close()
    assert time.monotonic() - start < HANGS_S / 2


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


@pytest.mark.parametrize(
    "ask",
    [
        lambda service: service.read(TASKS[0], "0" * 64),
        lambda service: service.tasks(),
        lambda service: service.ask_store(lambda store: store.history(TASKS[0])),
    ],
    ids=["read", "tasks", "ask_store"],
)
def test_whatever_a_hanging_store_is_asked_ends_within_its_limit(
    store: HangingStore, service: CachedStore, ask: Callable[[CachedStore], object]
) -> None:
    store.goes_on.clear()
    for _ in range(3):
        with pytest.raises(StoreUnavailable, match="has not answered for"):
            ask(service)


@pytest.mark.parametrize(("limit_s", "hangs"), [(None, True), (60.0, False)])
def test_a_call_hangs_once_it_takes_longer_than_its_kind_may(
    limit_s: float | None, hangs: bool
) -> None:
    clock, began, never = Clock(), threading.Event(), threading.Event()
    calls = StoreCalls(clock)
    calls.submit(lambda: began.set() or never.wait(60), limit_s)
    assert began.wait(60)
    clock.now += store_calls.LIMIT_S
    assert calls.is_hanging == hangs
    assert calls.lets_through()
    assert calls.lets_through() != hangs
    never.set()
    calls.close()


def test_unknown_tasks_are_waited_for_together(store: HangingStore, service: CachedStore) -> None:
    store.goes_on.clear()
    service.begin_to_look_up(TASKS)
    start = time.monotonic()
    for task in TASKS:
        with pytest.raises(StoreUnavailable):
            service.current(task, patience_s=0.0)
    assert time.monotonic() - start < len(TASKS) * LIMIT_S / 2
    store.goes_on.set()
    wait_until("they are found", lambda: all(is_found(service, task) for task in TASKS))


def test_a_version_that_was_read_is_held_until_the_store_says_otherwise(
    store: HangingStore, service: CachedStore
) -> None:
    task, old = TASKS[0], store.current(TASKS[0]).version
    store.publish(make_artifact(task, seed=1))
    assert service.still_holds(task, old)
    store.goes_on.clear()
    time.sleep(0.1)  # longer than it is known
    for _ in range(3):
        assert service.still_holds(task, old)
    store.goes_on.set()
    store.remove(task, old)
    wait_until("it is gone", lambda: not service.still_holds(task, old))
    assert not service.still_holds(task, old)


def test_a_version_stays_while_the_folder_is_an_empty_place(
    store: HangingStore, service: CachedStore
) -> None:
    version = service.current(TASKS[0]).version
    away = store.root.with_name("away")
    store.root.rename(away)
    store.root.mkdir()
    time.sleep(0.1)
    assert service.still_holds(TASKS[0], version)
    with pytest.raises(StoreUnavailable):
        service.resolve_version(TASKS[0], version[:6])
    store.root.rmdir()
    away.rename(store.root)


class JustInTime(Future[str]):
    """Its answer comes as its first waiter has given up."""

    def result(self, timeout: float | None = None) -> str:
        if not self.done():
            self.set_result("an answer")
            raise TimeoutError
        return super().result(timeout)


@pytest.mark.parametrize("is_known", [True, False])
def test_an_answer_that_comes_with_the_end_of_the_patience_is_one(is_known: bool) -> None:
    assert StoreCalls().wait(JustInTime(), is_known=is_known) == "an answer"


def test_a_store_that_says_it_was_too_late_is_heard() -> None:
    late: Future[str] = Future()
    late.set_exception(TimeoutError("the server took too long"))
    with pytest.raises(TimeoutError, match="the server took too long"):
        StoreCalls().wait(late, is_known=True)
