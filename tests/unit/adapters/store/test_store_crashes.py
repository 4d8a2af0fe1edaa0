import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from operator import methodcaller
from pathlib import Path

import pytest

from adapters.artifact.codec import version_of
from adapters.errors import TaskNotFound
from adapters.store.audit import audit
from adapters.store.directory import DirectoryStore
from adapters.store.garbage import collect_garbage, collect_garbage_beside_tasks
from tests.fakes.artifacts import make_artifact
from tests.fakes.crashes import Change, End, crashes

FIRST, SECOND, THIRD, NEXT = (make_artifact(seed=seed) for seed in range(4))
COLLECT = partial(collect_garbage, task="pets", keep=1, older_than_s=60.0)
Store = DirectoryStore


def empty(store: Store) -> None:
    pass


def one_version(store: Store) -> None:
    store.publish(FIRST)


def two_versions(store: Store) -> None:
    store.publish(FIRST)
    store.publish(SECOND)


def canary(store: Store) -> None:
    store.publish(FIRST)
    store.publish(SECOND, canary=0.1)


def shadow(store: Store) -> None:
    store.publish(FIRST)
    store.publish(SECOND, shadow=0.1)


def old_versions(store: Store) -> None:
    for data in (FIRST, SECOND, THIRD):
        store.publish(data)
    left = store.root / "pets" / ".current.json.0a0a0a0a.writing"
    left.write_bytes(b"half")
    os.utime(left, (0, 0))


CHANGES: dict[str, tuple[Callable[[Store], None], Change]] = {
    "first publish": (empty, methodcaller("publish", SECOND)),
    "later publish": (one_version, methodcaller("publish", SECOND)),
    "canary": (one_version, methodcaller("publish", SECOND, canary=0.1)),
    "rollback": (two_versions, methodcaller("rollback", "pets")),
    "end of the canary": (canary, methodcaller("end_canary", "pets")),
    "shadow": (one_version, methodcaller("publish", SECOND, shadow=0.1)),
    "end of the shadow": (shadow, methodcaller("end_shadow", "pets")),
    "promote": (canary, methodcaller("promote", "pets")),
    "pin": (two_versions, methodcaller("pin", "pets", version_of(FIRST))),
    "rm": (two_versions, methodcaller("remove", "pets", version_of(FIRST))),
    "gc": (old_versions, COLLECT),
}


@pytest.mark.parametrize(
    ("name", "end"),
    [
        *((name, End.KILLED) for name in CHANGES),
        *((name, End.REFUSED) for name in ("first publish", "later publish", "gc")),
        *((name, End.TORN) for name in ("later publish", "rollback")),
    ],
    ids=lambda value: value if isinstance(value, str) else value.name.lower(),
)
def test_a_change_stopped_at_any_step_leaves_the_old_state_or_the_new(
    tmp_path: Path, name: str, end: End
) -> None:
    prepare, change = CHANGES[name]
    before = an_hour_ago(prepare, tmp_path / "before")
    old = state(before)
    after = an_hour_ago(prepare, tmp_path / "after")
    change(DirectoryStore(after.root))
    new = state(after)

    steps = []
    for crash in crashes(change, before.root, tmp_path / "crashes", end):
        steps.append(crash.step)
        store = DirectoryStore(crash.root)
        left = state(store)
        assert left in (old, new), f"{crash}: {left}"
        assert_it_was_told(store)
        assert_everything_goes_on(store, left)
    assert {"write"} <= set(steps)
    assert end is End.TORN or {"fsync", "replace", "flock", "open"} <= set(steps)


def an_hour_ago(prepare: Callable[[Store], None], root: Path) -> Store:
    """Return a store whose versions have long been idle."""
    then = datetime.now(UTC) - timedelta(hours=1)
    store = DirectoryStore(root, now=lambda: then)
    prepare(store)
    for path in root.rglob("*.safetensors"):
        os.utime(path, (then.timestamp(), then.timestamp()))
    return store


def state(store: Store) -> object:
    """Return all that is recorded, without times; whatever it names can be read."""
    if not store.root.exists() or store.identity() is None:
        return None
    assert [finding for finding in audit(store) if finding.damage] == []
    try:
        record = store.record("pets")
    except TaskNotFound:
        assert store.tasks() == []
        return None
    history = [entry.version for entry in record.history]
    retired = [entry.version for entry in record.retired]
    return record.pointer, history, record.pinned, retired


def assert_it_was_told(store: Store) -> None:
    """The feed is whole, and knows of the record's pointer or of a later one."""
    if store.root.exists() and store.tasks():
        feed = store.feed()
        assert feed is not None
        assert feed.sequences["pets"] >= store.current("pets").sequence


def assert_everything_goes_on(store: Store, left: object) -> None:
    """Publish again and clean up: nothing of the crash is left."""
    sequence = 1 if left is None else store.current("pets").sequence + 1
    found = store.publish(NEXT)
    assert (found.version, found.sequence) == (version_of(NEXT), sequence)
    assert store.read("pets", found.version) == NEXT
    for path in [*store.files.unfinished("pets"), *store.files.unfinished_beside_tasks()]:
        os.utime(path, (0, 0))
    collect_garbage(store, "pets", keep=100, older_than_s=60.0)
    collect_garbage_beside_tasks(store)
    assert store.files.unfinished("pets") == store.files.unfinished_beside_tasks() == []
    assert state(store) is not None


def test_a_collector_that_died_is_finished_by_the_next_one(tmp_path: Path) -> None:
    before = an_hour_ago(old_versions, tmp_path / "before")
    for crash in crashes(COLLECT, before.root, tmp_path / "crashes", End.KILLED):
        store = DirectoryStore(crash.root)
        for path in store.files.unfinished("pets"):
            os.utime(path, (0, 0))
        COLLECT(store)
        assert store.versions("pets") == [version_of(THIRD)]
        assert store.files.unfinished("pets") == []
