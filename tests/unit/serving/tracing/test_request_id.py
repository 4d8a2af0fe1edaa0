"""Ids of requests: those of callers are kept where they can do no harm."""

import pytest

from serving.tracing.request_id import checked_id, new_id

FIT = ["a", "7f1c-0", "Root=1-5759e988-bd862e3fe1be46a994272793", "abc+/=", "a:b_c.d@e"]
UNFIT = ["", " ", "a b", "a\nb", "a\r", 'a"b', "é", "x" * 129, "a,b", "{}"]


@pytest.mark.parametrize("text", FIT)
def test_an_id_that_is_fit_for_headers_and_logs_is_kept(text: str) -> None:
    assert checked_id(text) == text


@pytest.mark.parametrize("text", [None, *UNFIT])
def test_what_is_fit_for_neither_is_none(text: str | None) -> None:
    assert checked_id(text) is None


def test_a_new_id_is_fit_and_nobody_elses() -> None:
    ids = {new_id() for _ in range(100)}
    assert len(ids) == 100
    assert all(map(checked_id, ids))
