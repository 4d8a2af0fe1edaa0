"""What waits when the device is free is the next batch: the oldest row, and what goes with it."""

import threading

import pytest

from serving.device.waiting import WaitingRows
from serving.rows.resident import make_resident
from tests.fakes.artifacts import make_adapter
from tests.fakes.rows import seated
from tests.fakes.tiny import tiny_backbone


@pytest.fixture(scope="module")
def residents():
    backbone = tiny_backbone()
    made = (
        make_adapter(method=method, prompts=4, backbone=backbone.spec)
        for method in ("spt-deep", "spt-shallow")
    )
    return [make_resident(adapter, backbone) for adapter in made]


@pytest.fixture
def waiting():
    return WaitingRows(3, apart=True)


def test_rows_are_taken_in_their_order_and_no_more_than_a_forward_holds(waiting, residents):
    rows = [seated(residents[0], None) for _ in range(5)]
    waiting.add(rows)
    assert waiting.take(rows=True) == rows[:3]
    assert waiting.take(rows=True) == rows[3:]
    assert len(waiting) == 0


def test_the_oldest_row_decides_whose_form_goes_first(waiting, residents):
    rows = [seated(residents[i % 2], None) for i in range(4)]
    waiting.add(rows)
    assert waiting.take(rows=True) == rows[::2]
    assert waiting.take(rows=True) == rows[1::2]


def test_rows_that_came_in_two_calls_share_a_forward(waiting, residents):
    first, second = seated(residents[0], None), seated(residents[0], None)
    waiting.add([first])
    waiting.add([second])
    assert waiting.take(rows=True) == [first, second]


def test_what_is_dropped_is_not_taken(waiting, residents):
    rows = [seated(residents[0], None) for _ in range(3)]
    waiting.add(rows)
    assert waiting.drop([rows[1], seated(residents[0], None)]) == [rows[1]]
    assert waiting.take(rows=True) == [rows[0], rows[2]]


def test_a_job_goes_before_rows(waiting, residents):
    waiting.add([seated(residents[0], None)])
    waiting.add_job(print)
    assert waiting.take(rows=True) is print


def test_rows_that_are_not_wanted_go_on_waiting(waiting, residents):
    row, found = seated(residents[0], None), []
    waiting.add([row])
    thread = threading.Thread(target=lambda: found.append(waiting.take(rows=False)))
    thread.start()
    waiting.add_job(print)
    thread.join(60)
    assert found == [print]
    assert waiting.take(rows=True) == [row]


def test_who_waits_is_woken_by_a_row(waiting, residents):
    row, found = seated(residents[0], None), []
    thread = threading.Thread(target=lambda: found.append(waiting.take(rows=True)))
    thread.start()
    waiting.add([row])
    thread.join(60)
    assert found == [[row]]
