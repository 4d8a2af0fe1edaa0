"""A shadow runs next to the current version and answers nobody; the store keeps it as a canary."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adapters.artifact.codec import version_of
from adapters.cache.redis_pointer import MAX_BYTES, KeptPointer, parse
from adapters.errors import PublishConflict, TaskNotFound, VersionNotFound
from adapters.store.directory import Change, DirectoryStore, Store
from adapters.store.garbage import collect_garbage
from adapters.store.record import Canary, Pointer, Shadow
from tests.fakes.artifacts import make_artifact
from tests.fakes.stores import KINDS, ObjectPlace, place, store_of

FIRST, SECOND, THIRD = (make_artifact(seed=seed) for seed in range(3))
A, B, C = (version_of(data) for data in (FIRST, SECOND, THIRD))
TENTH = Shadow(version=B, share=0.1)


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    store = store_of(request.param, tmp_path)
    store.publish(FIRST)
    return store


@pytest.fixture
def directory(tmp_path: Path) -> DirectoryStore:
    store = DirectoryStore(tmp_path / "store")
    store.publish(FIRST)
    return store


def record_of(store: Store) -> Path | ObjectPlace:
    return place(store, "pets", "current.json")


def test_a_shadow_is_published_and_answers_nobody(store: Store) -> None:
    pointer = store.publish(SECOND, shadow=0.1)
    assert pointer == Pointer(version=A, sequence=2, shadow=TENTH) == store.current("pets")
    assert {pointer.chosen(draw) for draw in (0.0, 0.05, 0.99)} == {A}
    assert pointer.answering == {A}
    assert pointer.running == {A, B}
    assert store.feed().sequences["pets"] == 2  # running services look the task up


def test_a_shadow_published_again_changes_its_share_or_nothing(store: Store) -> None:
    first = store.publish(SECOND, shadow=0.1)
    assert store.publish(SECOND, shadow=0.1) == first
    assert store.publish(SECOND, shadow=1.0).shadow == Shadow(version=B, share=1.0)
    assert store.publish(THIRD, shadow=0.3).shadow == Shadow(version=C, share=0.3)


@pytest.mark.parametrize("share", [0.0, 1.1, -1.0, float("nan")])
def test_a_share_that_is_none_is_refused_before_anything_is_written(
    store: Store, share: float
) -> None:
    with pytest.raises(ValueError, match="share"):
        store.publish(SECOND, shadow=share)
    with pytest.raises(ValueError, match="found both"):
        store.publish(SECOND, shadow=0.1, canary=0.1)
    assert store.versions("pets") == [A]


def test_what_answers_or_has_nothing_to_be_compared_with_is_no_shadow(
    store: Store,
) -> None:
    store.publish(SECOND, canary=0.1)
    for data, role in ((FIRST, "current version"), (SECOND, "canary")):
        with pytest.raises(PublishConflict, match=f"is the {role} and answers already"):
            store.publish(data, shadow=0.1)
    with pytest.raises(TaskNotFound, match=r"dogs: expected a current version.*found none"):
        store.publish(make_artifact("dogs"), shadow=0.1)


def test_a_shadow_goes_on_until_it_answers_itself(store: Store) -> None:
    store.publish(SECOND, shadow=0.1)
    assert store.publish(THIRD).shadow == TENTH
    assert store.publish(FIRST, canary=0.5).shadow == TENTH
    assert store.end_canary("pets").shadow == TENTH
    assert store.rollback("pets") == Pointer(version=A, sequence=6, shadow=TENTH)
    as_canary = Pointer(version=A, sequence=7, canary=Canary(version=B, share=0.5))
    assert store.publish(SECOND, canary=0.5) == as_canary


def test_a_shadow_is_promoted_by_its_name_and_never_taken_for_a_canary(
    store: Store,
) -> None:
    store.publish(SECOND, shadow=0.1)
    with pytest.raises(VersionNotFound, match=rf"expected a canary.*and the shadow {B[:12]}"):
        store.promote("pets")
    assert store.promote("pets", B[:8], expected=A) == Pointer(version=B, sequence=3)
    assert store.rollback("pets") == Pointer(version=A, sequence=4)


def test_only_the_shadow_that_is_expected_is_ended(store: Store) -> None:
    with pytest.raises(VersionNotFound, match="expected a shadow, found only the current version"):
        store.end_shadow("pets")
    before = store.publish(SECOND, shadow=0.1)
    with pytest.raises(PublishConflict, match=f"to be the shadow, found {B}"):
        store.end_shadow("pets", expected=A)
    with pytest.raises(PublishConflict, match="expected sequence 1"):
        store.end_shadow("pets", change=Change(expected_sequence=1))
    assert store.current("pets") == before
    assert store.end_shadow("pets", expected=B) == Pointer(version=A, sequence=3)


def test_retried_changes_recognise_themselves(store: Store) -> None:
    begin, end = Change(id="begin", why="next month"), Change(id="end")
    first = store.publish(SECOND, shadow=0.1, change=begin)
    ended = store.end_shadow("pets", change=end)
    assert store.publish(SECOND, shadow=0.1, change=begin) == first
    assert store.end_shadow("pets", change=end) == ended == store.current("pets")
    told = [(one.what, one.subject, one.shadow, one.why) for one in store.log("pets")[1:]]
    assert told == [("shadow", B, TENTH, "next month"), ("end shadow", B, None, None)]


def test_a_shadow_is_neither_removed_nor_collected_until_long_after_its_end(
    directory: DirectoryStore,
) -> None:
    directory.publish(SECOND, shadow=0.1)
    with pytest.raises(PublishConflict, match="is the shadow and is not removed; 'spt shadow"):
        directory.remove("pets", B)
    later = DirectoryStore(directory.root, now=lambda: datetime.now(UTC) + timedelta(days=9))
    assert collect_garbage(later, "pets", keep=1, older_than_s=60.0) == []
    later.end_shadow("pets")
    assert collect_garbage(later, "pets", keep=1, older_than_s=60.0) == []
    much_later = DirectoryStore(directory.root, now=lambda: datetime.now(UTC) + timedelta(days=19))
    (gone,) = collect_garbage(much_later, "pets", keep=1, older_than_s=60.0)
    assert gone.version == B


def test_a_record_without_a_shadow_is_written_as_ever(store: Store) -> None:
    store.publish(SECOND, shadow=0.1)
    assert "shadow" in record_of(store).read_text()
    store.end_shadow("pets")
    found = json.loads(record_of(store).read_text())
    assert "shadow" not in found


def test_what_a_writer_that_knows_no_shadows_has_promoted_is_read_and_put_right(
    store: Store,
) -> None:
    """Such a writer keeps the fields that it does not know."""
    store.publish(SECOND, shadow=0.1)
    shadow = json.loads(record_of(store).read_text())["shadow"]
    store.publish(SECOND)
    record_of(store).write_text(
        json.dumps(json.loads(record_of(store).read_text()) | {"shadow": shadow})
    )
    assert store.current("pets").answering == {B}
    assert store.publish(THIRD) == Pointer(version=C, sequence=4)


def test_a_pointer_with_everything_fits_into_redis_and_an_old_one_is_read() -> None:
    canary = Canary(version=C, share=0.123456789)
    shadow = Shadow(version=B, share=0.987654321)
    full = Pointer(version=A, sequence=10**9, canary=canary, shadow=shadow)
    kept = KeptPointer(number=10**16, pointer=full)
    data = kept.model_dump_json().encode()
    assert len(data) < MAX_BYTES
    assert parse(data) == kept
    old = {"number": 1, "pointer": {"version": A, "sequence": 2, "canary": None}}
    assert parse(json.dumps(old).encode()).pointer == Pointer(version=A, sequence=2)
