"""The log of a task, whatever happened to those who wrote it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adapters.artifact.codec import version_of
from adapters.errors import PublishConflict
from adapters.store.directory import Change, DirectoryStore
from adapters.store.garbage import collect_garbage
from adapters.store.log import this_user
from tests.fakes.artifacts import make_artifact

FIRST, SECOND, THIRD = (make_artifact(seed=seed) for seed in range(3))
A, B, C = (version_of(data) for data in (FIRST, SECOND, THIRD))


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    store = DirectoryStore(tmp_path / "store")
    store.publish(FIRST, change=Change(id="one"))
    return store


def log_of(store: DirectoryStore) -> Path:
    return store.root / "pets" / "log.jsonl"


def test_a_change_whose_writer_died_before_the_record_did_not_happen_and_can_be_retried(
    store: DirectoryStore,
) -> None:
    record = (store.root / "pets" / "current.json").read_bytes()
    store.publish(SECOND, change=Change(id="two"))
    (store.root / "pets" / "current.json").write_bytes(record)
    assert [entry.change for entry in store.log("pets")] == ["one"]
    assert store.publish(SECOND, change=Change(id="two")).sequence == 2
    assert [entry.change for entry in store.log("pets")] == ["one", "two"]


def test_of_two_lines_with_one_number_the_last_one_happened(store: DirectoryStore) -> None:
    record = (store.root / "pets" / "current.json").read_bytes()
    store.publish(SECOND, change=Change(id="died"))
    (store.root / "pets" / "current.json").write_bytes(record)
    store.publish(THIRD, change=Change(id="came through"))
    assert [entry.change for entry in store.log("pets")] == ["one", "came through"]
    assert store.publish(SECOND, change=Change(id="died")).sequence == 3


def test_a_line_that_was_torn_hides_no_other(store: DirectoryStore) -> None:
    with log_of(store).open("ab") as file:
        file.write(b'{"sequence": 2, "at": "20')
    store.publish(SECOND, change=Change(id="two"))
    assert [entry.change for entry in store.log("pets")] == ["one", "two"]


def test_what_a_publisher_without_a_log_did_is_known_from_the_history(
    store: DirectoryStore,
) -> None:
    store.publish(SECOND)
    log_of(store).unlink()
    store.rollback("pets", change=Change(why="worse"))
    found = [(one.sequence, one.what, one.version, one.why) for one in store.log("pets")]
    assert found == [(1, "publish", A, None), (3, "rollback", A, "worse")]


def test_fields_of_a_later_version_are_ignored(store: DirectoryStore) -> None:
    text = log_of(store).read_text()
    log_of(store).write_text(text.replace('{"sequence"', '{"ticket": 7, "sequence"'))
    assert [entry.change for entry in store.log("pets")] == ["one"]


def test_every_change_is_recognised_by_its_id_and_by_no_other(store: DirectoryStore) -> None:
    changes = {
        "b": lambda change: store.publish(SECOND, canary=0.5, change=change),
        "c": lambda change: store.promote("pets", change=change),
        "d": lambda change: store.publish(THIRD, canary=0.5, change=change),
        "e": lambda change: store.end_canary("pets", change=change),
        "f": lambda change: store.rollback("pets", change=change),
    }
    made = {name: change(Change(id=name)) for name, change in changes.items()}
    assert {name: change(Change(id=name)) for name, change in changes.items()} == made
    assert store.current("pets").sequence == 6
    with pytest.raises(PublishConflict, match="give another change another id"):
        store.publish(THIRD, change=Change(id="one"))


def test_pins_and_deletions_are_told_of_too_and_move_no_pointer(store: DirectoryStore) -> None:
    store.publish(SECOND)
    store.publish(THIRD)
    before = store.current("pets")
    store.pin("pets", A[:6], change=Change(why="a contract"))
    store.pin("pets", A)
    store.remove("pets", B, change=Change(by="ops"))
    store.unpin("pets", A)
    told = [(one.what, one.subject, one.by, one.why) for one in store.log("pets")[3:]]
    me = this_user()
    assert told == [
        ("pin", A, me, "a contract"),
        ("remove", B, "ops", None),
        ("unpin", A, me, None),
    ]
    assert {one.pointer for one in store.log("pets")[2:]} == {before} == {store.current("pets")}
    store.publish(FIRST)
    assert [one.what for one in store.log("pets")][-2:] == ["unpin", "publish"]


def test_what_is_collected_is_told_of(store: DirectoryStore) -> None:
    store.publish(SECOND)
    store.publish(THIRD)
    store.now = lambda: datetime.now(UTC) + timedelta(days=2)
    collect_garbage(store, "pets", keep=1, older_than_s=86400.0)
    told = [(one.what, one.subject) for one in store.log("pets")[3:]]
    assert sorted(told) == sorted([("gc", A), ("gc", B)])


@pytest.mark.parametrize("times", [1, 2])
def test_a_pin_whose_writer_died_before_the_record_did_not_happen(
    store: DirectoryStore, times: int
) -> None:
    record = (store.root / "pets" / "current.json").read_bytes()
    for _ in range(times):
        store.pin("pets", A)
        (store.root / "pets" / "current.json").write_bytes(record)
    assert [entry.what for entry in store.log("pets")] == ["publish"]
    store.pin("pets", A, change=Change(id="came through"))
    assert [entry.change for entry in store.log("pets")] == ["one", "came through"]


def test_a_pin_and_a_deletion_are_retried_without_harm(store: DirectoryStore) -> None:
    store.publish(SECOND)
    for _ in range(2):
        assert store.pin("pets", A, change=Change(id="p", expected_sequence=2)) == A
    for _ in range(2):
        assert store.unpin("pets", A, change=Change(id="u", expected_sequence=2)) == A
    for _ in range(2):
        assert store.remove("pets", A[:8], change=Change(id="r", expected_sequence=2)) == A
    assert [entry.change for entry in store.log("pets")][-3:] == ["p", "u", "r"]
    with pytest.raises(PublishConflict, match="give another change another id"):
        store.pin("pets", B, change=Change(id="r"))
    with pytest.raises(PublishConflict, match="expected sequence 1, found 2"):
        store.pin("pets", B, change=Change(expected_sequence=1))


def test_the_last_change_is_recognised_though_the_log_is_lost(store: DirectoryStore) -> None:
    made = store.publish(SECOND, change=Change(id="two"))
    log_of(store).unlink()
    assert store.publish(SECOND, change=Change(id="two")) == made
    assert store.log("pets")[-1].change == "two"
    with pytest.raises(PublishConflict, match="known as 'publish'"):
        store.rollback("pets", change=Change(id="two"))
    store.pin("pets", A, change=Change(id="three"))
    log_of(store).unlink()
    assert [(one.what, one.change) for one in store.log("pets")][-1] == ("pin", "three")


def test_a_last_change_that_an_earlier_version_left_behind_tells_nothing(
    store: DirectoryStore,
) -> None:
    store.publish(SECOND, change=Change(id="two"))
    stale = store.record("pets").last_change
    store.publish(THIRD, change=Change(id="three"))
    store.files.write_record("pets", store.record("pets").model_copy(update={"last_change": stale}))
    assert [entry.change for entry in store.log("pets")] == ["one", "two", "three"]
