"""Who follows a store's feed: every move is seen at the next look, and nothing else is asked."""

import logging
import threading
import time
from collections.abc import Iterator
from functools import partial
from operator import methodcaller
from pathlib import Path

import pytest

from adapters.cache.cached_store import CachedStore
from adapters.cache.follower import LOOK_EVERY_S, TRUST_S, Follower
from adapters.cache.pointer_memory import FOLLOWED_RENEWAL_S, SPREAD_S
from adapters.cache.store_calls import StoreCalls
from adapters.errors import StoreUnavailable
from adapters.store.directory import DirectoryStore, Pointer
from adapters.store.feed import FEED, MAX_MOVES, Feed
from adapters.store.files import StoreFiles
from adapters.store.record import Canary
from tests.fakes.artifacts import make_artifact
from tests.fakes.crashes import Change, End, crashes
from tests.fakes.waiting import wait_until
from tests.unit.adapters.cache.world import LONGEST, DyingStore, World

FIRST, SECOND, THIRD = (make_artifact(seed=seed) for seed in range(3))
DOGS = make_artifact("dogs")


class Scene(World):
    """A world with a process that follows its store, look by look, and threads of none."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.service = self.process(with_redis=False)
        self.follower = self.follow()

    def follow(self) -> Follower:
        return Follower(self._read, self.service._memory, StoreCalls(self.clock), self.clock)

    def _read(self) -> Feed | None:
        return self.store.feed()

    def look(self, after_s: float = LOOK_EVERY_S) -> None:
        self.clock.now += after_s
        self.follower.look()

    def keep_looking(self, seconds: float) -> None:
        for _ in range(int(seconds / TRUST_S) + 1):
            self.look(after_s=TRUST_S / 2)
            self.look(after_s=TRUST_S / 2)

    def close(self) -> None:
        self.follower._calls.close()

    @property
    def is_followed(self) -> bool:
        return self.service._memory.is_followed


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    scene = Scene(tmp_path / "store")
    scene.store.publish(FIRST)
    scene.store.publish(DOGS)
    scene.look()
    scene.service.current("pets")
    scene.service.current("dogs")
    scene.store.asked = 0
    yield scene
    scene.close()


def test_every_move_is_seen_at_the_next_look_and_only_its_task_is_asked_for(scene: Scene) -> None:
    store = scene.store
    moves = [
        lambda: store.publish(SECOND),
        lambda: store.publish(THIRD, canary=0.5),
        lambda: store.end_canary("pets"),
        lambda: store.rollback("pets"),
    ]
    for asked, move in enumerate(moves, start=1):
        pointer = move()
        scene.look()
        assert scene.service.current("pets") == pointer
        assert scene.service.current("dogs").sequence == 1
        assert store.asked == asked


def test_while_nothing_moves_nothing_is_asked_for_minutes(scene: Scene) -> None:
    for _ in range(100):
        scene.look()
        assert scene.service.current("pets").sequence == 1
    assert scene.store.asked == 0


def test_a_task_that_was_not_there_is_found_at_the_next_look(scene: Scene) -> None:
    scene.service._pointer_ttl_s = 1e9
    with pytest.raises(Exception, match="not published"):
        scene.service.current("birds")
    pointer = scene.store.publish(make_artifact("birds"))
    scene.look()
    assert scene.service.current("birds") == pointer


def test_a_store_without_a_feed_is_asked_as_before_and_followed_from_the_first_change_on(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    (scene.store.root / FEED).unlink()
    scene.look()
    assert not scene.is_followed
    scene.look(after_s=SPREAD_S)
    for asked in range(1, 4):
        scene.look(after_s=LONGEST)
        scene.service.current("pets")
        assert scene.store.asked == asked
    pointer = scene.store.publish(SECOND)
    scene.look(after_s=LONGEST)
    assert scene.is_followed
    assert scene.service.current("pets") == pointer
    scene.store.asked = 0
    scene.keep_looking(60.0)
    assert scene.service.current("pets") == pointer
    assert scene.store.asked == 0
    assert [record.getMessage() for record in caplog.records] == [
        "every task is looked up twice a second: the store has no feed until its next change",
        "the store's feed tells which tasks move; they alone are looked up",
    ]


def lose(scene: Scene) -> None:
    (scene.store.root / FEED).unlink()


def damage(scene: Scene) -> None:
    (scene.store.root / FEED).write_bytes(b"{")


def replace(scene: Scene) -> None:
    (scene.store.root / FEED).write_text(Feed(since=7).model_dump_json())


def leave_behind(scene: Scene) -> None:
    feed = scene.store.feed()
    assert feed is not None
    for number in range(MAX_MOVES):
        feed = feed.with_move(f"task-{number}", 1)
    (scene.store.root / FEED).write_text(feed.model_dump_json())


@pytest.mark.parametrize("happens", [lose, damage, replace, leave_behind])
def test_when_moves_may_have_been_missed_all_is_looked_up_again(
    scene: Scene, happens: object
) -> None:
    unseen = scene.store.publish(SECOND)
    happens(scene)  # type: ignore[operator]
    scene.look()
    assert scene.service._memory.should_be_renewed("pets")
    scene.look(after_s=SPREAD_S)
    assert scene.service.current("pets") == unseen


@pytest.mark.parametrize("trouble", [StoreUnavailable("away"), OSError("stale"), ValueError("x")])
def test_while_the_feed_cannot_be_read_lifetimes_count_and_that_is_said(
    scene: Scene,
    trouble: Exception,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    pointer = scene.store.publish(SECOND)
    real = scene.store.feed

    def fail() -> Feed:
        raise trouble

    monkeypatch.setattr(scene.store, "feed", fail)
    scene.look(after_s=0.4 * TRUST_S)
    assert scene.is_followed
    scene.look(after_s=0.6 * TRUST_S)
    assert not scene.is_followed
    assert scene.service.current("pets") == pointer
    assert scene.store.asked == 1
    scene.look(after_s=LONGEST)
    scene.service.current("pets")
    assert scene.store.asked == 2
    monkeypatch.setattr(scene.store, "feed", real)
    scene.look(after_s=LONGEST)
    assert scene.service.current("dogs").sequence == 1
    assert scene.store.asked == 2  # nothing was missed: dogs did not move
    assert [record.getMessage() for record in caplog.records] == [
        f"every task is looked up twice a second: {type(trouble).__name__}: {trouble}",
        "the store's feed tells which tasks move; they alone are looked up",
    ]


def test_what_moved_while_the_feed_could_not_be_read_is_seen_afterwards(scene: Scene) -> None:
    pointer = scene.store.publish(SECOND)
    scene.look(after_s=1000.0)
    assert scene.service.current("pets") == pointer
    assert scene.service.current("dogs").sequence == 1
    assert scene.store.asked == 1


def test_one_that_is_told_of_before_its_record_is_written_is_asked_for_until_it_is(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = scene.store.files.write_record

    def look_first(task: str, record: object) -> Pointer:
        scene.look()
        assert scene.service.current("pets").sequence == 1
        return real(task, record)  # type: ignore[arg-type]

    monkeypatch.setattr(scene.store.files, "write_record", look_first)
    pointer = scene.store.publish(SECOND)
    scene.look(after_s=LONGEST)
    assert scene.service.current("pets") == pointer
    scene.store.asked = 0
    scene.keep_looking(60.0)
    assert scene.service.current("pets") == pointer
    assert scene.store.asked == 0


def test_what_was_known_when_the_store_did_not_answer_is_not_relied_on_for_long(
    scene: Scene,
) -> None:
    scene.service._memory.expire("pets")
    scene.store.is_dead = True
    assert scene.service.current("pets").sequence == 1
    scene.store.is_dead = False
    feed = scene.store.feed()
    assert feed is not None
    pointer = scene.store.publish(SECOND)
    (scene.store.root / FEED).write_text(feed.model_dump_json())  # as if it was missed
    scene.look(after_s=LONGEST)
    assert scene.service.current("pets") == pointer


class MovedStore(DyingStore):
    """A store that can be read elsewhere from one moment to the next."""

    def move_to(self, root: Path) -> None:
        self.root = root
        self.files = StoreFiles(root)


CHANGES: dict[str, Change] = {
    "publish": methodcaller("publish", SECOND),
    "rollback": methodcaller("rollback", "pets"),
}


@pytest.mark.parametrize(
    ("name", "end"),
    [("publish", End.KILLED), ("publish", End.REFUSED), ("rollback", End.KILLED)],
)
def test_a_publisher_that_dies_at_any_step_hides_nothing(
    tmp_path: Path, name: str, end: End
) -> None:
    before = DirectoryStore(tmp_path / "before")
    for data in (DOGS, THIRD, FIRST):
        before.publish(data)
    seen = set()
    for crash in crashes(CHANGES[name], before.root, tmp_path / "crashes", end):
        scene = Scene(tmp_path / f"scene-{crash.number}")
        scene.store = scene.service.store = scene.service._places._store = MovedStore(before.root)
        scene.look()
        known = scene.service.current("pets")
        scene.store.move_to(crash.root)
        scene.look()
        is_now = DirectoryStore(crash.root).current("pets")
        assert scene.service.current("pets") == is_now, crash
        seen.add(is_now == known)
        # and what it left half-done is no obstacle: the same change is seen when it is made
        CHANGES[name](DirectoryStore(crash.root)) if is_now == known else None
        scene.look(after_s=LONGEST)
        assert scene.service.current("pets") != known, crash
        assert scene.service.current("dogs").sequence == 1
        scene.close()
    assert seen == {True, False}


def test_a_follower_of_a_store_that_hangs_ends_at_once_and_says_nothing_later(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on, entered = threading.Event(), threading.Event()
    real = scene.store.feed

    def hang() -> Feed | None:
        entered.set()
        assert goes_on.wait(60)
        return real()

    scene.store.publish(SECOND)
    monkeypatch.setattr(scene.store, "feed", hang)
    follower = scene.follow()
    follower.start()
    assert entered.wait(10)
    start = time.monotonic()
    follower.close()
    assert time.monotonic() - start < 5.0
    goes_on.set()
    wait_until("the thread has ended", lambda: not follower._thread.is_alive())
    assert scene.service.current("pets").sequence == 1


@pytest.fixture
def watching(tmp_path: Path) -> Iterator[CachedStore]:
    DirectoryStore(tmp_path / "real").publish(FIRST)
    service = CachedStore(DirectoryStore(tmp_path / "real"))
    service.watch()
    wait_until("it follows", lambda: service.follows_store)
    yield service
    service.close()


def test_a_service_that_watches_sees_what_is_published_without_redis(
    watching: CachedStore,
) -> None:
    publisher = DirectoryStore(watching.store.root)
    for change in (
        partial(publisher.publish, SECOND),
        partial(publisher.publish, THIRD, canary=0.5),
        partial(publisher.promote, "pets"),
        partial(publisher.rollback, "pets"),
    ):
        pointer = change()
        wait_until("it is seen", lambda p=pointer: watching.current("pets") == p)  # type: ignore[misc]
    assert watching.current("pets").canary is None
    assert isinstance(publisher.publish(THIRD, canary=0.1).canary, Canary)


def test_a_pointer_that_is_followed_is_renewed_in_the_end(scene: Scene) -> None:
    scene.keep_looking(1.2 * FOLLOWED_RENEWAL_S)
    assert scene.service.current("pets").sequence == 1
    assert scene.service._memory.should_be_renewed("pets")
