"""The feed of a store: every move of every task is in it before it is made."""

import json
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from operator import methodcaller
from pathlib import Path

import pytest
from pydantic import ValidationError

from adapters.artifact.codec import version_of
from adapters.errors import ArtifactCorrupt, StoreUnavailable
from adapters.store import durable
from adapters.store.audit import audit
from adapters.store.directory import DirectoryStore
from adapters.store.feed import FEED, MAX_MOVES, Feed, Move, tell
from adapters.store.garbage import collect_garbage, collect_garbage_beside_tasks
from tests.fakes.artifacts import make_artifact

FIRST, SECOND, THIRD = (make_artifact(seed=seed) for seed in range(3))


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    return DirectoryStore(tmp_path / "store")


def feed_of(store: DirectoryStore) -> Feed:
    feed = store.feed()
    assert feed is not None
    return feed


MOVES: list[Callable[[DirectoryStore], object]] = [
    methodcaller("publish", FIRST),
    methodcaller("publish", SECOND, canary=0.5),
    methodcaller("promote", "pets"),
    methodcaller("rollback", "pets"),
    methodcaller("publish", THIRD, canary=0.5),
    methodcaller("end_canary", "pets"),
]


def test_every_change_of_a_pointer_is_told_with_its_sequence(store: DirectoryStore) -> None:
    number = None
    for move in MOVES:
        pointer = move(store)
        feed = feed_of(store)
        assert feed.sequences == {"pets": store.current("pets").sequence}
        assert pointer == store.current("pets")
        assert number is None or feed.number == number + 1
        number = feed.number


def test_what_moves_no_pointer_is_not_told(store: DirectoryStore) -> None:
    for data in (FIRST, SECOND, THIRD):
        store.publish(data)
    before = feed_of(store)
    store.publish(THIRD)
    store.pin("pets", version_of(FIRST))
    store.unpin("pets", version_of(FIRST))
    store.remove("pets", version_of(SECOND))
    collect_garbage(store, "pets", keep=1, older_than_s=60.0)
    assert feed_of(store) == before


def test_a_move_is_told_before_it_is_made(
    store: DirectoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.publish(FIRST)
    told: list[int] = []
    real = store.files.write_record

    def write(task: str, record: object) -> object:
        told.append(feed_of(store).sequences[task] - store.current(task).sequence)
        return real(task, record)  # type: ignore[arg-type]

    monkeypatch.setattr(store.files, "write_record", write)
    store.publish(SECOND)
    assert told == [1]


def test_what_cannot_be_told_is_not_made(store: DirectoryStore) -> None:
    store.publish(FIRST)
    (store.root / FEED).unlink()
    (store.root / FEED).mkdir()
    with pytest.raises(StoreUnavailable, match=FEED):
        store.publish(SECOND)
    assert store.current("pets").version == version_of(FIRST)


def test_it_says_what_moved_after_a_number_as_far_as_it_reaches_back() -> None:
    feed = Feed(since=10)
    assert (feed.number, feed.after(10), feed.after(9), feed.after(11)) == (10, [], None, None)
    for task in ("a", "b", "a"):
        feed = feed.with_move(task, 1)
    assert feed.after(10) == [Move(12, "b", 1), Move(13, "a", 1)]
    assert feed.after(12) == [Move(13, "a", 1)]
    assert feed.after(13) == []
    assert feed.after(14) is None


def test_it_has_a_place_for_the_last_tasks_that_moved_and_knows_what_it_left_out() -> None:
    moves = tuple(Move(number, f"task-{number}", 1) for number in range(1, MAX_MOVES + 1))
    feed = Feed(since=0, moves=moves).with_move("one-more", 7)
    assert len(feed.moves) == MAX_MOVES
    assert (feed.since, feed.moves[0].task, feed.moves[-1].task) == (1, "task-2", "one-more")
    assert feed.after(0) is None
    assert len(feed.after(1) or ()) == MAX_MOVES
    again = feed.with_move("task-2", 2)
    assert (again.since, len(again.moves)) == (1, MAX_MOVES)


def test_writers_of_many_tasks_at_once_lose_no_move(store: DirectoryStore) -> None:
    tasks = [f"task-{number}" for number in range(12)]
    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(store.publish, make_artifact(task)) for task in tasks]
        for job in jobs:
            job.result()
    feed = feed_of(store)
    assert feed.sequences == dict.fromkeys(tasks, 1)
    assert feed.number - feed.since == len(tasks)


@pytest.mark.parametrize(
    "lost", [None, b"", b"{", b'{"format": 1}', b'{"since": 1, "moves": [[1, "a", 1]]}']
)
def test_a_feed_that_is_begun_anew_is_no_continuation(
    store: DirectoryStore, lost: bytes | None
) -> None:
    store.publish(FIRST)
    before = feed_of(store)
    if lost is None:
        (store.root / FEED).unlink()
        assert store.feed() is None
    else:
        (store.root / FEED).write_bytes(lost)
        with pytest.raises(ArtifactCorrupt, match=r"feed\.json.*delete it"):
            store.feed()
    time.sleep(0.001)
    store.publish(SECOND)
    after = feed_of(store)
    assert after.after(before.number) is None
    assert before.after(after.number) is None
    assert after.sequences == {"pets": 2}


def test_a_later_format_is_refused_and_a_field_more_is_not(store: DirectoryStore) -> None:
    store.publish(FIRST)
    document = json.loads((store.root / FEED).read_bytes())
    (store.root / FEED).write_text(json.dumps(document | {"note": "from later"}))
    assert feed_of(store).sequences == {"pets": 1}
    (store.root / FEED).write_text(json.dumps(document | {"format": 2}))
    with pytest.raises(ArtifactCorrupt, match="format up to 1"):
        store.feed()


def test_a_huge_file_is_no_feed_and_not_read_whole(store: DirectoryStore) -> None:
    store.publish(FIRST)
    with (store.root / FEED).open("r+b") as file:
        file.truncate(200 << 20)
    with pytest.raises(ArtifactCorrupt, match="delete it"):
        store.feed()


def test_numbers_that_do_not_grow_are_no_feed() -> None:
    with pytest.raises(ValidationError, match="do not grow"):
        Feed(since=5, moves=(Move(7, "a", 1), Move(6, "b", 1)))


def test_a_store_of_an_earlier_version_has_none_until_the_next_change(
    store: DirectoryStore,
) -> None:
    store.publish(FIRST)
    (store.root / FEED).unlink()
    assert store.feed() is None
    assert [one for one in audit(store) if one.damage] == []
    store.publish(SECOND)
    assert feed_of(store).sequences == {"pets": 2}


def test_a_folder_that_is_gone_is_not_a_store_without_a_feed(store: DirectoryStore) -> None:
    with pytest.raises(StoreUnavailable, match="No such file"):
        store.feed()


def test_verify_finds_a_damaged_feed_and_gc_what_its_dead_writer_left(
    store: DirectoryStore,
) -> None:
    store.publish(FIRST)
    (store.root / FEED).write_bytes(b"{")
    (found,) = [one for one in audit(store) if one.damage]
    assert FEED in str(found.damage)
    half = store.root / f".{FEED}.0a0a0a0a.writing"
    half.write_bytes(b"{")
    assert collect_garbage_beside_tasks(store) == []
    os.utime(half, (0, 0))
    (looked,) = collect_garbage_beside_tasks(store, dry_run=True)
    assert (looked.path, half.exists()) == (half, True)
    assert len(collect_garbage_beside_tasks(store)) == 1
    assert not half.exists()
    assert store.current("pets")


def test_it_stays_small_with_all_its_places_taken(store: DirectoryStore) -> None:
    store.publish(FIRST)
    root = store.root
    longest = [f"{number:04d}" + "x" * 60 for number in range(MAX_MOVES)]
    moves = tuple(Move(number, task, 10**6) for number, task in enumerate(longest, start=1))
    durable.write(root / FEED, Feed(since=0, moves=moves).model_dump_json().encode())
    tell(root, "pets", 2)
    assert (root / FEED).stat().st_size < 100_000
    assert feed_of(store).sequences["pets"] == 2
