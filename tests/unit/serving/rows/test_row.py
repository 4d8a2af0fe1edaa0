"""A row keeps its outcome until it hands it over, and one that was forgotten is an error."""

from serving.errors import to_wire
from serving.rows.query import Query
from serving.rows.row import Row, pending


def test_a_row_without_an_outcome_is_pending_and_one_with_an_error_is_not() -> None:
    waiting, failed = Row(Query(b"", "pets")), Row(Query(b"", "pets"))
    failed.outcome = ValueError("bad")
    assert pending([waiting, failed]) == [waiting]


def test_a_row_that_was_forgotten_is_a_fault_of_ours_and_not_an_empty_answer() -> None:
    outcome = Row(Query(b"", "pets")).hand_over()
    assert isinstance(outcome, Exception)
    assert to_wire(outcome, "pets").code == "internal"


def test_a_row_that_handed_its_error_over_holds_it_no_longer() -> None:
    row, error = Row(Query(b"", "pets")), ValueError("bad")
    row.outcome = error
    assert row.hand_over() is error
    assert row.outcome is not error
