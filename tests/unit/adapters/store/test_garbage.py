import os
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adapters.artifact.codec import version_of
from adapters.errors import ArtifactCorrupt
from adapters.store.directory import DirectoryStore, Store
from adapters.store.garbage import MIN_AGE_S, collect_garbage
from tests.fakes.artifacts import make_artifact
from tests.fakes.stores import KINDS, place, store_of

DAY_S = 86400.0
DATA = [make_artifact(seed=seed) for seed in range(6)]
VERSIONS = [version_of(data) for data in DATA]


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2100, 1, 2, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Store:
    return store_of(request.param, tmp_path, clock)


@pytest.fixture
def directory(tmp_path: Path, clock: Clock) -> DirectoryStore:
    return DirectoryStore(tmp_path / "store", now=clock)


def publish(store: Store, *numbers: int) -> None:
    """Publish at the clock's time, which the files get as well."""
    for number in numbers:
        store.publish(DATA[number])
        written_at(store, number, store.now())


def written_at(store: Store, number: int, time: datetime) -> None:
    if not isinstance(store, DirectoryStore):
        return  # a bucket knows the time by itself; the clock of these tests is ahead of it
    path = store.files.artifact("pets", VERSIONS[number])
    os.utime(path, (time.timestamp(), time.timestamp()))


def collect(store: Store, *, keep: int = 1, older_than_s: float = DAY_S) -> set[int]:
    """Return the numbers of the versions that are gone."""
    before = store.versions("pets")
    found = collect_garbage(store, "pets", keep=keep, older_than_s=older_than_s)
    gone = set(before) - set(store.versions("pets"))
    assert {one.version for one in found if one.version} == gone
    return {VERSIONS.index(version) for version in gone}


def test_versions_age_from_when_they_stopped_answering(store: Store, clock: Clock) -> None:
    publish(store, 0)
    clock.pass_by(30 * DAY_S)
    publish(store, 1)
    clock.pass_by(DAY_S - 1)
    assert collect(store) == set()
    clock.pass_by(1)
    assert collect(store) == {0}


def test_a_version_that_answered_again_ages_anew(store: Store, clock: Clock) -> None:
    publish(store, 0, 1)
    clock.pass_by(30 * DAY_S)
    store.promote("pets", VERSIONS[0])
    store.promote("pets", VERSIONS[1])
    clock.pass_by(DAY_S / 2)
    assert collect(store) == set()


def test_what_answers_is_pinned_or_among_the_last_stays(store: Store, clock: Clock) -> None:
    publish(store, 0, 1, 2, 3, 4)
    store.publish(DATA[0], canary=0.1)
    store.pin("pets", VERSIONS[1])
    clock.pass_by(30 * DAY_S)
    assert collect(store, keep=2) == {2}
    assert store.end_canary("pets").canary is None
    assert store.rollback("pets").version == VERSIONS[3]


def test_what_is_gone_is_no_longer_in_the_history(store: Store, clock: Clock) -> None:
    publish(store, 0, 1, 0, 2)
    clock.pass_by(2 * DAY_S)
    assert collect(store, keep=2) == {1}
    assert [entry.version for entry in store.history("pets")] == [VERSIONS[0], VERSIONS[2]]


def test_a_version_that_never_answered_ages_from_when_it_was_written(
    directory: DirectoryStore, clock: Clock
) -> None:
    publish(directory, 0)
    directory.files.artifact("pets", VERSIONS[1]).write_bytes(DATA[1])
    written_at(directory, 1, clock.now - timedelta(seconds=DAY_S - 60))
    assert collect(directory) == set()
    clock.pass_by(60)
    assert collect(directory) == {1}


def test_versions_that_are_not_remembered_one_by_one_stopped_with_the_last_of_them(
    store: Store, clock: Clock
) -> None:
    publish(store, 0, 1, 2)
    clock.pass_by(30 * DAY_S)
    record = store.record("pets")
    forgotten = {"retired": (), "history": record.history[-1:], "others_retired_by": clock.now}
    store.files.write_record("pets", record.model_copy(update=forgotten))
    clock.pass_by(DAY_S - 1)
    assert collect(store) == set()
    clock.pass_by(1)
    assert collect(store) == {0, 1}


def test_a_dry_run_deletes_nothing(directory: DirectoryStore, clock: Clock) -> None:
    publish(directory, 0, 1)
    half_written(directory, ".current.json.0a0a0a0a.writing", 2 * DAY_S)
    clock.pass_by(2 * DAY_S)
    found = collect_garbage(directory, "pets", keep=1, older_than_s=DAY_S, dry_run=True)
    assert [one.version for one in found] == [VERSIONS[0], None]
    assert [one.num_bytes for one in found] == [len(DATA[0]), 4]
    assert len(directory.versions("pets")) == 2
    assert found == collect_garbage(directory, "pets", keep=1, older_than_s=DAY_S)
    assert collect_garbage(directory, "pets", keep=1, older_than_s=DAY_S) == []


def half_written(store: DirectoryStore, name: str, age_s: float = 0.0) -> Path:
    path = store.root / "pets" / name
    path.write_bytes(b"half")
    then = store.now().timestamp() - age_s
    os.utime(path, (then, then))
    return path


def test_what_dead_writers_left_goes_when_it_is_old(directory: DirectoryStore) -> None:
    publish(directory, 0)
    names = [f".{name}.0a0a0a0a.writing" for name in ("current.json", f"{VERSIONS[1]}.safetensors")]
    old = [half_written(directory, name, 3600) for name in (names[0], f"versions/{names[1]}")]
    young = half_written(directory, ".current.json.0b0b0b0b.writing", 3590)
    found = collect_garbage(directory, "pets", keep=1, older_than_s=DAY_S)
    assert {one.path for one in found} == set(old)
    assert directory.files.unfinished("pets") == [young]


def test_what_others_left_is_not_ours_to_delete(directory: DirectoryStore) -> None:
    publish(directory, 0)
    names = [
        "draft.writing",
        ".notes.writing",
        ".notes.0a0a0a0a.writing",
        ".current.json.0.writing",
    ]
    theirs = [half_written(directory, name, 9 * DAY_S) for name in names]
    (directory.root / "pets" / ".current.json.0c0c0c0c.writing").mkdir()
    assert collect_garbage(directory, "pets", keep=1, older_than_s=DAY_S) == []
    assert all(path.exists() for path in theirs)


def test_nothing_is_made_in_a_folder_that_no_writer_has_seen(directory: DirectoryStore) -> None:
    publish(directory, 0)
    strange = directory.root / "code"
    strange.mkdir()
    (strange / ".current.json.0a0a0a0a.writing").write_bytes(b"half")
    assert collect_garbage(directory, "code", keep=1, older_than_s=DAY_S) == []
    assert len(list(strange.iterdir())) == 1


def test_versions_of_a_task_without_a_record_stay(directory: DirectoryStore, clock: Clock) -> None:
    publish(directory, 0, 1)
    (directory.root / "pets" / "current.json").rename(directory.root / "kept.json")
    clock.pass_by(30 * DAY_S)
    assert collect_garbage(directory, "pets", keep=1, older_than_s=DAY_S) == []
    assert len(directory.files.versions("pets")) == 2


def test_a_damaged_record_keeps_everything(store: Store, clock: Clock) -> None:
    publish(store, 0, 1)
    place(store, "pets", "current.json").write_text("{")
    clock.pass_by(30 * DAY_S)
    with pytest.raises(ArtifactCorrupt, match=r"(current|pets)\.json"):
        collect_garbage(store, "pets", keep=1, older_than_s=DAY_S)
    assert len(store.files.versions("pets")) == 2


@pytest.mark.parametrize(("keep", "older_than_s"), [(0, DAY_S), (1, MIN_AGE_S - 1), (1, -1.0)])
def test_too_small_limits_are_refused(store: Store, keep: int, older_than_s: float) -> None:
    publish(store, 0, 1)
    with pytest.raises(ValueError, match="60 s ago or later"):
        collect_garbage(store, "pets", keep=keep, older_than_s=older_than_s)


def test_a_collector_waits_for_the_writer(directory: DirectoryStore, clock: Clock) -> None:
    publish(directory, 0, 1)
    clock.pass_by(2 * DAY_S)
    with directory.files.writing("pets"):
        collector = threading.Thread(target=collect, args=(directory,))
        collector.start()
        collector.join(0.2)
        assert collector.is_alive()
        assert len(directory.versions("pets")) == 2
    collector.join()
    assert directory.versions("pets") == [VERSIONS[1]]


def test_a_publisher_whose_clock_is_behind_does_not_make_a_version_old(
    directory: DirectoryStore, clock: Clock
) -> None:
    publish(directory, 0)
    today, clock.now = clock.now, datetime(1970, 1, 2, tzinfo=UTC)
    directory.publish(DATA[1])
    directory.publish(DATA[2], canary=0.1)
    directory.end_canary("pets")
    clock.now = today
    for number in range(3):
        written_at(directory, number, today - timedelta(days=9))
    assert collect(directory) == set()
    assert [entry.published_at for entry in directory.history("pets")] == [today, today]
