from pathlib import Path

import pytest

from adapters.artifact.codec import version_of
from adapters.errors import ArtifactCorrupt, PublishConflict, TaskNotFound, VersionNotFound
from adapters.store.directory import DirectoryStore, Store
from adapters.store.record import Canary, Pointer
from adapters.vit.adapter import encode
from tests.fakes.artifacts import make_adapter, make_artifact
from tests.fakes.stores import KINDS, artifact, place, store_of

FIRST, SECOND, THIRD = (make_artifact(seed=seed) for seed in range(3))
A, B, C = (version_of(data) for data in (FIRST, SECOND, THIRD))
TENTH = Canary(version=B, share=0.1)


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


def test_a_canary_answers_beside_the_current_version(store: Store) -> None:
    pointer = store.publish(SECOND, canary=0.1)
    assert pointer == Pointer(version=A, sequence=2, canary=TENTH) == store.current("pets")
    assert store.read("pets", B) == SECOND
    assert [entry.version for entry in store.history("pets")] == [A]


def test_a_canary_published_again_changes_its_share_or_nothing(store: Store) -> None:
    first = store.publish(SECOND, canary=0.1)
    assert store.publish(SECOND, canary=0.1) == first
    assert store.publish(SECOND, canary=0.2).canary == Canary(version=B, share=0.2)
    assert store.current("pets").sequence == 3


def test_another_canary_takes_the_place_of_the_first(store: Store) -> None:
    store.publish(SECOND, canary=0.1)
    assert store.publish(THIRD, canary=0.3).canary == Canary(version=C, share=0.3)


def test_the_first_version_of_a_task_cannot_be_a_canary(store: Store) -> None:
    with pytest.raises(TaskNotFound, match=r"dogs: expected a current version.*found none"):
        store.publish(make_artifact("dogs"), canary=0.1)
    assert store.tasks() == ["pets"]
    assert store.files.versions("dogs") == []


def test_the_current_version_cannot_be_its_own_canary(store: Store) -> None:
    with pytest.raises(PublishConflict, match="answers every request"):
        store.publish(FIRST, canary=0.1)


@pytest.mark.parametrize("share", [0.0, 1.0, -1.0, float("nan")])
def test_a_share_that_is_none_is_refused_before_anything_is_written(
    store: Store, share: float
) -> None:
    with pytest.raises(ValueError, match="share"):
        store.publish(SECOND, canary=share)
    assert store.versions("pets") == [A]


def test_publishing_the_canary_promotes_it(store: Store) -> None:
    store.publish(SECOND, canary=0.1)
    assert store.publish(SECOND) == Pointer(version=B, sequence=3)
    assert store.rollback("pets").version == A


def test_publishing_another_version_leaves_the_canary_running(store: Store) -> None:
    store.publish(SECOND, canary=0.1)
    assert store.publish(THIRD) == Pointer(version=C, sequence=3, canary=TENTH)


def test_promote_makes_the_canary_current(store: Store) -> None:
    store.publish(SECOND, canary=0.1)
    assert store.promote("pets", expected=B) == Pointer(version=B, sequence=3)
    assert [entry.version for entry in store.history("pets")] == [A, B]


def test_promote_without_a_canary_says_what_to_do(store: Store) -> None:
    with pytest.raises(VersionNotFound, match=r"expected a canary.*spt promote pets VERSION"):
        store.promote("pets")


def test_promote_takes_any_held_version_by_its_first_digits(store: Store) -> None:
    store.publish(SECOND)
    store.publish(THIRD, canary=0.5)
    pointer = store.promote("pets", A[:6])
    assert pointer == Pointer(version=A, sequence=4, canary=Canary(version=C, share=0.5))
    assert store.promote("pets", A) == pointer
    with pytest.raises(VersionNotFound, match="no version does"):
        store.promote("pets", "0" * 64)


def test_a_damaged_version_is_not_promoted(store: Store) -> None:
    before = store.publish(SECOND, canary=0.1)
    artifact(store, "pets", B).write_bytes(SECOND[:-1])
    with pytest.raises(ArtifactCorrupt):
        store.promote("pets")
    assert store.current("pets") == before


def test_rollback_is_about_the_current_version_and_a_canary_goes_on(store: Store) -> None:
    store.publish(SECOND)
    canary = store.publish(THIRD, canary=0.1).canary
    assert store.rollback("pets") == Pointer(version=A, sequence=4, canary=canary)
    with pytest.raises(VersionNotFound, match="only version in its history"):
        store.rollback("pets")


def test_a_canary_that_a_rollback_makes_current_is_no_canary_any_more(
    store: Store,
) -> None:
    store.publish(SECOND)
    store.publish(FIRST, canary=0.1)
    assert store.rollback("pets") == Pointer(version=A, sequence=4)


def test_the_end_of_a_canary_leaves_the_current_version_and_is_no_rollback(
    store: Store,
) -> None:
    store.publish(SECOND)
    store.publish(THIRD, canary=0.1)
    assert store.end_canary("pets") == Pointer(version=B, sequence=4)
    with pytest.raises(VersionNotFound, match="expected a canary"):
        store.end_canary("pets")
    assert store.current("pets").version == B


def test_where_no_canary_is_left_its_end_is_refused_and_nobody_is_told_to_promote_it(
    store: Store,
) -> None:
    with pytest.raises(VersionNotFound, match="expected a canary, found only the current version"):
        store.end_canary("pets")


def test_a_damaged_canary_is_ended(store: Store) -> None:
    store.publish(SECOND, canary=0.1)
    artifact(store, "pets", B).unlink()
    assert store.end_canary("pets") == Pointer(version=A, sequence=3)


def test_a_canary_that_was_swapped_is_neither_promoted_nor_ended(store: Store) -> None:
    store.publish(SECOND, canary=0.1)
    before = store.publish(THIRD, canary=0.1)
    for change in (store.promote, store.end_canary):
        for expected in (A, B, None):
            with pytest.raises(PublishConflict, match=f"to be the canary, found {C}"):
                change("pets", expected=expected)
    assert store.current("pets") == before
    assert store.promote("pets", expected=C).version == C


def test_every_change_checks_what_its_caller_expects(store: Store) -> None:
    before = store.publish(SECOND, canary=0.1)
    for change in (
        lambda: store.publish(THIRD, canary=0.1, expected=B),
        lambda: store.promote("pets", B, expected=B),
        lambda: store.rollback("pets", expected=B),
        lambda: store.rollback("pets", expected=None),
    ):
        with pytest.raises(PublishConflict, match=rf"expected (no version|{B}).*found {A}"):
            change()
    assert store.current("pets") == before


@pytest.mark.parametrize(
    ("version", "reason"), [(A, "the current version"), (B, "the canary"), (C, "pinned.*--off")]
)
def test_remove_refuses_what_answers_or_is_pinned(store: Store, version: str, reason: str) -> None:
    store.publish(THIRD)
    store.publish(FIRST)
    store.publish(SECOND, canary=0.1)
    store.pin("pets", C)
    with pytest.raises(PublishConflict, match=reason):
        store.remove("pets", version)
    assert store.versions("pets") == sorted([A, B, C])


def test_a_pin_moves_no_pointer_and_is_taken_off_again(store: Store) -> None:
    before = store.publish(SECOND)
    assert store.pin("pets", A[:8]) == A
    assert store.pin("pets", A) == A
    assert store.record("pets").pinned == (A,)
    assert store.unpin("pets", A[:8]) == A
    assert store.unpin("pets", A) == A
    assert store.current("pets") == before
    assert store.remove("pets", A[:6]) == A


def test_only_what_is_held_is_pinned_but_what_was_lost_is_unpinned(store: Store) -> None:
    store.publish(SECOND)
    store.pin("pets", A)
    artifact(store, "pets", A).unlink()
    with pytest.raises(VersionNotFound):
        store.pin("pets", A)
    store.unpin("pets", A)
    assert store.record("pets").pinned == ()


def test_a_version_that_was_lost_is_removed_from_the_history(store: Store) -> None:
    store.publish(SECOND)
    artifact(store, "pets", A).unlink()
    store.remove("pets", A)
    assert [entry.version for entry in store.history("pets")] == [B]


def test_an_artifact_of_another_task_is_never_returned(store: Store) -> None:
    dogs = make_artifact("dogs")
    path = artifact(store, "pets", version_of(dogs))
    path.write_bytes(dogs)
    with pytest.raises(ArtifactCorrupt, match=rf"{path}: expected an artifact of pets, .* dogs"):
        store.read("pets", version_of(dogs))


def test_a_stranger_under_its_own_hash_is_never_returned(store: Store) -> None:
    path = artifact(store, "pets", version_of(b"junk"))
    path.write_bytes(b"junk")
    with pytest.raises(ArtifactCorrupt, match=rf"{path}: not an artifact"):
        store.promote("pets", version_of(b"junk"))


def test_a_record_without_canary_or_pins_is_written_as_ever(store: Store) -> None:
    text = place(store, "pets", "current.json").read_text()
    for word in ("canary", "pinned", "retired"):
        assert word not in text


def test_versions_of_other_sizes_live_side_by_side(store: Store) -> None:
    larger = encode(make_adapter(classes=7, prompts=9))
    store.publish(larger)
    assert store.rollback("pets").version == A
    assert store.promote("pets", version_of(larger)).version == version_of(larger)
