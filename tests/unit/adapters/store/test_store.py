import os
import threading
from pathlib import Path

import pytest

from adapters.artifact.codec import version_of
from adapters.errors import (
    ArtifactCorrupt,
    PublishConflict,
    StoreUnavailable,
    TaskNotFound,
    VersionNotFound,
)
from adapters.store.directory import DirectoryStore, Pointer, Store
from adapters.store.record import MAX_HISTORY
from tests.fakes.artifacts import make_artifact
from tests.fakes.stores import KINDS, artifact, place, store_of

HOSTILE_IDS = ["", "..", "../pets", "a/b", "/etc/passwd", "A", "a" * 65, "pets\0", ".hidden", "é"]
FIRST, SECOND, THIRD = (make_artifact(seed=seed) for seed in range(3))


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return store_of(request.param, tmp_path)


@pytest.fixture
def directory(tmp_path: Path) -> DirectoryStore:
    return DirectoryStore(tmp_path / "store")


def test_a_published_artifact_is_current_and_read_back_byte_for_byte(store: Store) -> None:
    pointer = store.publish(FIRST)
    assert pointer == Pointer(version=version_of(FIRST), sequence=1)
    assert store.current("pets") == pointer
    assert store.read("pets", pointer.version) == FIRST
    assert store.tasks() == ["pets"]


def test_every_publish_and_rollback_counts_the_sequence_up(store: Store) -> None:
    moves = [store.publish(FIRST), store.publish(SECOND), store.rollback("pets")]
    moves.append(store.publish(SECOND))
    assert [move.sequence for move in moves] == [1, 2, 3, 4]


def test_publishing_what_is_current_changes_nothing(store: Store) -> None:
    first = store.publish(FIRST)
    assert store.publish(FIRST) == first
    assert len(store.history("pets")) == 1


def test_publishing_what_is_current_repairs_a_damaged_file(store: Store) -> None:
    version = store.publish(FIRST).version
    place(store, "pets", "versions", f"{version}.safetensors").write_bytes(b"broken")
    assert store.publish(FIRST).sequence == 1
    assert store.read("pets", version) == FIRST


def test_publishing_an_old_version_makes_it_current_again(store: Store) -> None:
    store.publish(FIRST)
    store.publish(SECOND)
    assert store.publish(FIRST) == Pointer(version=version_of(FIRST), sequence=3)
    assert len(store.versions("pets")) == 2


@pytest.mark.parametrize("data", [b"", b"junk" * 100, FIRST[:-1], FIRST + b"x"])
def test_what_is_not_a_whole_artifact_is_refused_before_anything_is_written(
    store: Store, data: bytes
) -> None:
    with pytest.raises(ArtifactCorrupt):
        store.publish(data)
    assert not store.root.exists()


def test_a_reader_always_finds_a_whole_version_while_writers_publish(store: Store) -> None:
    store.publish(FIRST)
    done = threading.Event()

    def write() -> None:
        for data in (SECOND, THIRD, FIRST) * 10:
            store.publish(data)
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    sequences = []
    while not done.is_set():
        pointer = store.current("pets")
        assert store.read("pets", pointer.version) in (FIRST, SECOND, THIRD)
        sequences.append(pointer.sequence)
    writer.join()
    assert sequences == sorted(sequences)


def test_of_many_threads_that_expect_no_version_one_wins(store: Store) -> None:
    outcomes: list[str] = []

    def publish(seed: int) -> None:
        try:
            store.publish(make_artifact(seed=seed), expected=None)
            outcomes.append("won")
        except PublishConflict:
            outcomes.append("conflict")

    threads = [threading.Thread(target=publish, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["conflict"] * 7 + ["won"]


def test_a_conflict_names_what_was_expected_and_what_was_found(store: Store) -> None:
    first = store.publish(FIRST).version
    store.publish(SECOND, expected=first)
    with pytest.raises(PublishConflict, match=rf"pets: expected {first}.*{version_of(SECOND)}"):
        store.publish(THIRD, expected=first)
    with pytest.raises(PublishConflict, match="expected no version"):
        store.publish(THIRD, expected=None)
    assert version_of(THIRD) not in store.versions("pets")


def test_rollback_walks_back_through_the_history_and_then_refuses(store: Store) -> None:
    for data in (FIRST, SECOND, THIRD):
        store.publish(data)
    assert store.rollback("pets") == Pointer(version=version_of(SECOND), sequence=4)
    assert store.rollback("pets") == Pointer(version=version_of(FIRST), sequence=5)
    with pytest.raises(VersionNotFound, match="only version in its history"):
        store.rollback("pets")


def test_rollback_to_a_damaged_version_is_refused(store: Store) -> None:
    first, second = store.publish(FIRST), store.publish(SECOND)
    place(store, "pets", "versions", f"{first.version}.safetensors").write_bytes(b"broken")
    with pytest.raises(ArtifactCorrupt):
        store.rollback("pets")
    assert store.current("pets") == second


def test_the_history_is_bounded(store: Store) -> None:
    for i in range(MAX_HISTORY + 3):
        store.publish((FIRST, SECOND)[i % 2])
    assert len(store.history("pets")) == MAX_HISTORY
    assert store.current("pets").sequence == MAX_HISTORY + 3


def test_remove_deletes_an_old_version_and_refuses_the_current_one(store: Store) -> None:
    first, second = store.publish(FIRST).version, store.publish(SECOND).version
    store.remove("pets", first)
    assert store.versions("pets") == [second]
    with pytest.raises(VersionNotFound):
        store.read("pets", first)
    with pytest.raises(VersionNotFound, match="only version"):
        store.rollback("pets")
    with pytest.raises(PublishConflict, match="roll back first"):
        store.remove("pets", second)


@pytest.mark.parametrize("task", HOSTILE_IDS)
def test_a_hostile_task_id_is_not_found_and_never_reaches_the_disk(
    store: Store, task: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.publish(FIRST)
    monkeypatch.setattr(os, "stat", lambda *_: pytest.fail("the disk was touched"))
    for call in (store.current, store.rollback, store.versions, store.history):
        with pytest.raises(TaskNotFound, match="is not a task id"):
            call(task)
    with pytest.raises(TaskNotFound):
        store.read(task, version_of(FIRST))


@pytest.mark.parametrize("version", ["", "../current", "a" * 63, "A" * 64, "../" * 30, "é" * 64])
def test_a_hostile_version_is_not_found(store: Store, version: str) -> None:
    store.publish(FIRST)
    for call in (store.read, store.holds, store.resolve_version):
        with pytest.raises(VersionNotFound):
            call("pets", version)


def test_an_unknown_task_is_not_found_and_the_message_says_what_to_do(
    directory: DirectoryStore,
) -> None:
    directory.root.mkdir()
    for call in (directory.current, directory.rollback, directory.versions, directory.history):
        with pytest.raises(TaskNotFound, match=r"'dogs' is not published.*spt ls"):
            call("dogs")
    assert list(directory.root.iterdir()) == []


def test_an_empty_root_reads_as_an_empty_store(directory: DirectoryStore) -> None:
    directory.root.mkdir()
    assert directory.tasks() == []
    assert not directory.holds("pets", version_of(FIRST))
    with pytest.raises(TaskNotFound):
        directory.read("pets", version_of(FIRST))


def test_a_root_that_is_not_there_is_unavailable_and_named_until_a_publish_makes_it(
    directory: DirectoryStore,
) -> None:
    calls = (
        directory.tasks,
        directory.folders,
        lambda: directory.current("pets"),
        lambda: directory.history("pets"),
        lambda: directory.versions("pets"),
        lambda: directory.read("pets", version_of(FIRST)),
        lambda: directory.holds("pets", version_of(FIRST)),
        lambda: directory.rollback("pets"),
        lambda: directory.resolve_version("pets", version_of(FIRST)),
    )
    for call in calls:
        with pytest.raises(StoreUnavailable, match=f"{directory.root}.*No such file"):
            call()
    assert not directory.root.exists()
    directory.publish(FIRST)
    assert directory.tasks() == ["pets"]


def test_files_and_folders_that_are_no_tasks_are_not_listed(directory: DirectoryStore) -> None:
    directory.publish(FIRST)
    (directory.root / "README").write_text("notes")
    (directory.root / "notes").write_text("notes")
    (directory.root / "empty").mkdir()
    (directory.root / "pets" / "versions" / "notes.safetensors").write_text("notes")
    assert directory.tasks() == ["pets"]
    assert directory.versions("pets") == [version_of(FIRST)]


def test_a_version_resolves_from_all_its_digits_or_a_unique_beginning(
    store: Store,
) -> None:
    version = store.publish(FIRST).version
    for text in (version, version[:6], version[:12].upper()):
        assert store.resolve_version("pets", text) == version
    with pytest.raises(VersionNotFound, match="too short"):
        store.resolve_version("pets", version[:5])
    with pytest.raises(VersionNotFound, match="no version does"):
        store.resolve_version("pets", "000000")


def test_an_ambiguous_version_is_refused_with_its_candidates(store: Store) -> None:
    store.publish(FIRST)
    for digit in "12":
        name = f"abcdef{digit * 58}.safetensors"
        place(store, "pets", "versions", name).write_bytes(b"")
    with pytest.raises(VersionNotFound, match=r"2 versions begin so \(abcdef111111, abcdef222222"):
        store.resolve_version("pets", "abcdef")


@pytest.mark.parametrize("damage", [b"", FIRST[:-1], FIRST[:100] + b"\0" + FIRST[101:]])
def test_a_damaged_artifact_is_never_returned(store: Store, damage: bytes) -> None:
    version = store.publish(FIRST).version
    path = place(store, "pets", "versions", f"{version}.safetensors")
    path.write_bytes(damage)
    with pytest.raises(ArtifactCorrupt, match=version):
        store.read("pets", version)


@pytest.mark.parametrize(
    "record", [b"", b"{", b"[]", b"null", b"\xff", b'{"version": "x"}', b"[" * 100_000]
)
def test_a_damaged_record_is_named_with_its_file(store: Store, record: bytes) -> None:
    store.publish(FIRST)
    place(store, "pets", "current.json").write_bytes(record)
    for call in (store.current, store.rollback, store.history):
        with pytest.raises(ArtifactCorrupt, match=r"pets(/current)?\.json"):
            call("pets")
    with pytest.raises(ArtifactCorrupt, match=r"pets(/current)?\.json"):
        store.publish(SECOND)


def test_a_record_whose_history_ends_elsewhere_is_damaged(store: Store) -> None:
    store.publish(FIRST)
    path = place(store, "pets", "current.json")
    path.write_text(path.read_text().replace(version_of(FIRST), "0" * 64, 1))
    with pytest.raises(ArtifactCorrupt, match="history"):
        store.current("pets")


def test_a_file_in_place_of_the_root_makes_every_call_say_unavailable(tmp_path: Path) -> None:
    root = tmp_path / "file"
    root.write_text("not a folder")
    store = DirectoryStore(root)
    calls = (
        lambda: store.publish(FIRST),
        lambda: store.current("pets"),
        lambda: store.read("pets", version_of(FIRST)),
        store.tasks,
    )
    for call in calls:
        with pytest.raises(StoreUnavailable, match=str(root)):
            call()


def test_a_refused_read_says_unavailable_with_path_and_reason(
    directory: DirectoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = directory.publish(FIRST).version

    def refuse(path: Path, *_: object) -> int:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "open", refuse)
    for call in (directory.current, lambda task: directory.read(task, version)):
        with pytest.raises(StoreUnavailable, match=r"pets/.*: Permission denied"):
            call("pets")


@pytest.mark.parametrize("rights", [0o755, 0o775, 0o2775, 0o750])
def test_a_publisher_with_a_strict_umask_takes_nothing_away_from_other_readers(
    tmp_path: Path, rights: int
) -> None:
    root = tmp_path / "store"
    root.mkdir()
    root.chmod(rights)
    before = os.umask(0o077)
    try:
        store = DirectoryStore(root)
        for data in (FIRST, SECOND):
            store.publish(data)
    finally:
        os.umask(before)
    for path in root.rglob("*"):
        expected = rights if path.is_dir() else rights & 0o666
        assert oct(path.stat().st_mode & 0o7777) == oct(expected), path


def test_versions_are_not_written_through_a_link(directory: DirectoryStore, tmp_path: Path) -> None:
    directory.publish(FIRST)
    (directory.root / "dogs").mkdir()
    (directory.root / "dogs" / "versions").symlink_to(tmp_path)
    with pytest.raises(StoreUnavailable, match="dogs/versions: expected a folder, found a link"):
        directory.publish(make_artifact("dogs"))
    assert [path.name for path in tmp_path.iterdir()] == ["store"]


def test_a_rollback_to_what_no_service_would_take_is_refused(store: Store) -> None:
    store.publish(FIRST)
    wrong = FIRST[:-4] + b"\0\0\xc0\x7f"  # NaN
    version = version_of(wrong)
    artifact(store, "pets", version).write_bytes(wrong)
    record = store.record("pets")
    first = record.history[0].model_copy(update={"version": version})
    second = record.history[0].model_copy(update={"sequence": 2})
    changed = {"sequence": 2, "history": (first, second)}
    store.files.write_record("pets", record.model_copy(update=changed))
    for change in (store.rollback, lambda task: store.promote(task, version)):
        with pytest.raises(ArtifactCorrupt, match="NaN"):
            change("pets")
    assert store.current("pets").version == version_of(FIRST)
