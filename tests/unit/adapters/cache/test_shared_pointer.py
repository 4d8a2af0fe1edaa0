"""A pointer that Redis has kept is taken where the feed says that it still is the task's."""

from pathlib import Path

import pytest

from adapters.cache.cached_store import CachedStore
from adapters.cache.follower import TRUST_S, Follower
from adapters.cache.redis_pointer import MAX_BYTES, KeptPointer, kept_from, parse
from adapters.cache.store_calls import StoreCalls
from adapters.errors import StoreUnavailable
from adapters.store.directory import Pointer
from adapters.store.feed import FEED, Feed, tell
from tests.fakes.artifacts import make_artifact
from tests.unit.adapters.cache.world import World

FIRST, SECOND = (make_artifact(seed=seed) for seed in range(2))
DOGS = make_artifact("dogs")
POINTER = Pointer(version="ab" * 32, sequence=3)


class Scene(World):
    """A world whose readers follow the store, and whose publisher may do without Redis."""

    def reader(self) -> CachedStore:
        """Return a process that knows no task and has looked at the feed once."""
        process = self.process()
        calls = StoreCalls(self.clock)
        process._follower = Follower(self.store.feed, process._memory, calls, self.clock)
        process._follower.look()
        self.store.asked = 0
        return process

    def publish(self, data: bytes, *, with_redis: bool = True) -> Pointer:
        return self.process(with_redis=with_redis).publish(data)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path / "store")


def test_who_knows_nothing_learns_it_from_redis_and_trusts_it(scene: Scene) -> None:
    pointer = scene.publish(FIRST)
    scene.publish(DOGS)
    reader = scene.reader()
    assert reader.current("pets") == pointer
    scene.clock.now += TRUST_S - 0.1
    assert reader.current("pets") == pointer
    assert scene.store.asked == 0


def test_what_the_store_says_is_kept_for_others(scene: Scene) -> None:
    pointer = scene.publish(FIRST, with_redis=False)
    assert scene.reader().current("pets") == pointer
    assert scene.store.asked == 1
    assert scene.reader().current("pets") == pointer
    assert scene.store.asked == 0


def test_what_was_moved_behind_redis_back_is_not_taken(scene: Scene) -> None:
    scene.publish(FIRST)
    second = scene.publish(SECOND, with_redis=False)
    assert scene.reader().current("pets") == second
    assert scene.store.asked == 1


@pytest.mark.parametrize("is_older", [False, True])
def test_another_feed_vouches_for_nothing(scene: Scene, is_older: bool) -> None:
    before = (scene.store.root / FEED).read_bytes() if scene.publish(DOGS) and is_older else None
    pointer = scene.publish(FIRST)
    (scene.store.root / FEED).unlink()
    if before is None:
        scene.publish(DOGS)
    else:
        (scene.store.root / FEED).write_bytes(before)
    assert scene.reader().current("pets") == pointer
    assert scene.store.asked == 1


def test_while_a_move_is_under_way_nothing_is_taken_or_kept(scene: Scene) -> None:
    pointer = scene.publish(FIRST)
    tell(scene.store.root, "pets", pointer.sequence + 1)
    for _ in range(2):
        assert scene.reader().current("pets") == pointer
        assert scene.store.asked == 1


def test_while_the_store_is_away_the_last_one_that_was_kept_goes_on(scene: Scene) -> None:
    first = scene.publish(FIRST)
    second = scene.publish(SECOND, with_redis=False)
    scene.store.is_dead = True
    reader = scene.reader()
    assert reader.current("pets") == first
    with pytest.raises(StoreUnavailable):
        reader.current("dogs")
    scene.store.is_dead = False
    scene.later()
    assert reader.current("pets") == second


def test_who_does_not_follow_the_store_asks_it_and_not_redis(scene: Scene) -> None:
    pointer = scene.publish(FIRST)
    scene.redis.pointers["pets"] = KeptPointer(number=1, pointer=POINTER)
    assert scene.process().current("pets") == pointer


def test_without_a_feed_nothing_is_kept_and_nothing_is_current() -> None:
    assert kept_from("pets", POINTER, None) is None
    kept = kept_from("pets", POINTER, Feed(since=7))
    assert kept == KeptPointer(number=7, pointer=POINTER)
    assert not kept.is_current("pets", Feed(since=8))
    assert not kept.is_current("pets", Feed(since=5))


@pytest.mark.parametrize(
    "data",
    [
        None,
        b"",
        "a string",
        [b"nested"],
        b"{}",
        b"[" * 500,
        b'{"number":-1,"pointer":{"version":"' + b"a" * 64 + b'","sequence":1}}',
        b'{"number":1,"pointer":{"version":"../../etc/passwd","sequence":1}}',
        b'{"number":1,"pointer":{"version":"' + b"a" * 64 + b'","sequence":0}}',
        b" " * MAX_BYTES + KeptPointer(number=1, pointer=POINTER).model_dump_json().encode(),
    ],
)
def test_what_is_no_pointer_of_ours_is_none(data: object) -> None:
    assert parse(data) is None


def test_a_pointer_with_a_canary_comes_back_whole_and_is_small() -> None:
    canary = {"version": "cd" * 32, "share": 0.1234567890123}
    pointer = Pointer.model_validate({**POINTER.model_dump(), "canary": canary})
    kept = KeptPointer(number=2**62, pointer=pointer)
    data = kept.model_dump_json().encode()
    assert parse(data) == kept
    assert len(data) < MAX_BYTES / 2
