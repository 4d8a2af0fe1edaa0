import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from adapters.errors import ArtifactCorrupt
from adapters.store.record import (
    MAX_HISTORY,
    MAX_RETIRED,
    Canary,
    HistoryEntry,
    Pointer,
    TaskRecord,
    parse_pointer,
    parse_record,
)
from adapters.store.record_changes import (
    after_canary,
    after_deletion,
    after_publish,
    after_rollback,
    without,
)

Parse = Callable[[bytes, Path], Pointer]
PATH = Path("pets/current.json")
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
A, B, C = (digit * 64 for digit in "abc")

OF_FORMER_VERSION = {
    "version": B,
    "sequence": 3,
    "history": [
        {"version": A, "sequence": 1, "published_at": "2026-01-02T03:04:05+00:00"},
        {"version": B, "sequence": 3, "published_at": "2026-01-03T03:04:05+00:00"},
    ],
}


def name(number: int) -> str:
    return f"{number:064x}"


def published_in_turn(*versions: str) -> TaskRecord:
    record = None
    for hour, version in enumerate(versions):
        record = after_publish(record, version, NOON + timedelta(hours=hour))
    assert record is not None
    return record


@pytest.mark.parametrize("draw", [0.0, 0.0999, 0.1, 0.9999])
def test_the_canary_answers_draws_below_its_share(draw: float) -> None:
    pointer = Pointer(version=A, sequence=1, canary=Canary(version=B, share=0.1))
    assert pointer.chosen(draw) == (B if draw < 0.1 else A)
    assert pointer.answering == {A, B}
    assert Pointer(version=A, sequence=1).chosen(draw) == A


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, float("nan")])
def test_a_share_is_between_none_and_all(share: float) -> None:
    with pytest.raises(ValidationError):
        Canary(version=A, share=share)


def test_a_record_of_the_former_version_is_read() -> None:
    record = parse_record(json.dumps(OF_FORMER_VERSION).encode(), PATH)
    assert record.pointer == Pointer(version=B, sequence=3)
    assert record.history[0].published_at == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_an_entry_of_the_history_has_no_canary() -> None:
    assert set(HistoryEntry.model_fields) == {"version", "sequence", "published_at"}


GOLDEN_OF_A_LATER_VERSION = b"""{
 "version": "%s", "sequence": 3, "owner": "team-a",
 "canary": {"version": "%s", "share": 0.5, "until": "2027-01-01"},
 "history": [{"version": "%s", "sequence": 3, "published_at": "2026-01-02T03:04:05Z", "why": "?"}]
}""" % tuple(text.encode() for text in (B, C, B))


def test_what_a_later_version_adds_is_ignored_and_kept_by_the_next_change() -> None:
    record = parse_record(GOLDEN_OF_A_LATER_VERSION, PATH)
    assert record.pointer == Pointer(version=B, sequence=3, canary=Canary(version=C, share=0.5))
    following = after_publish(record, A, NOON)
    written = json.loads(following.model_dump_json(exclude_defaults=True))
    assert written["owner"] == "team-a"
    assert "format" not in written


@pytest.mark.parametrize("parse", [parse_record, parse_pointer])
def test_a_record_of_a_later_format_is_refused_and_says_so(parse: Parse) -> None:
    with pytest.raises(ArtifactCorrupt, match=r"format up to 1.*the version that wrote it"):
        parse(json.dumps(OF_FORMER_VERSION | {"format": 2}).encode(), PATH)


@pytest.mark.parametrize("parse", [parse_record, parse_pointer])
def test_a_record_whose_canary_is_current_is_damaged(parse: Parse) -> None:
    canary = {"canary": {"version": B, "share": 0.5}}
    with pytest.raises(ArtifactCorrupt, match=r"pets/current\.json: .*canary is the current"):
        parse(json.dumps(OF_FORMER_VERSION | canary).encode(), PATH)


def test_a_lookup_reads_the_pointer_alone() -> None:
    """A history has a hundred dates, and a call may ask for many tasks."""
    data = GOLDEN_OF_A_LATER_VERSION.replace(b"2026-01-02T03:04:05Z", b"yesterday")
    assert parse_pointer(data, PATH).answering == {B, C}
    with pytest.raises(ArtifactCorrupt):
        parse_record(data, PATH)


def test_what_a_former_version_retired_stopped_when_the_next_one_was_published() -> None:
    record = parse_record(json.dumps(OF_FORMER_VERSION).encode(), PATH)
    assert record.stopped_at(A) == record.history[1].published_at
    assert record.stopped_at(C) is None


def test_every_way_to_stop_answering_is_noted() -> None:
    later = NOON + timedelta(days=1)
    record = published_in_turn(A, B)
    assert record.stopped_at(A) == NOON + timedelta(hours=1)
    assert after_rollback("pets", record, later).stopped_at(B) == later
    with_canary = after_canary("pets", record, Canary(version=C, share=0.5), later)
    assert without(with_canary, "canary", later).stopped_at(C) == later
    other = after_canary("pets", with_canary, Canary(version=A, share=0.5), later)
    assert other.stopped_at(C) == later
    assert A not in {entry.version for entry in other.retired}
    assert after_publish(with_canary, C, later).stopped_at(B) == later


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(0, MAX_RETIRED + 30), min_size=1, max_size=200))
def test_no_version_is_thought_to_have_stopped_before_it_did(numbers: list[int]) -> None:
    stopped, record = {}, None
    for second, number in enumerate([*range(MAX_RETIRED + 20), *numbers]):
        now = NOON + timedelta(seconds=second)
        if record is not None and record.version != name(number):
            stopped[record.version] = now
        record = after_publish(record, name(number), now)
    assert record is not None
    assert len(record.retired) <= MAX_RETIRED
    assert len(record.history) <= MAX_HISTORY
    noted = {entry.version for entry in record.retired}
    for version, moment in stopped.items():
        found = record.stopped_at(version)
        if version != record.version:
            assert found is not None
            assert found == moment if version in noted else found >= moment


def test_what_stood_around_a_deleted_version_is_one_step_of_the_history() -> None:
    record = after_deletion(published_in_turn(C, A, B, A), B)
    assert [entry.version for entry in record.history] == [C, A]
    assert record.history[-1].sequence == 4
    assert after_rollback("pets", record, NOON).version == C


def test_a_deleted_version_leaves_nothing_in_the_record() -> None:
    record = after_deletion(after_deletion(published_in_turn(A, B, C), A), B)
    assert A not in record.model_dump_json()
    assert record.latest(5) == [C]


def test_the_latest_versions_are_distinct_and_begin_with_the_current_one() -> None:
    record = published_in_turn(A, B, A, C)
    assert record.latest(2) == [C, A]
    assert record.latest(9) == [C, A, B]
