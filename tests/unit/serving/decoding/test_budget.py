"""No more bytes are lent than there are, and small loans do not wait behind large ones."""

import threading

import pytest

from serving.decoding.budget import ByteBudget
from serving.errors import DecodingTooSlow


def test_what_is_lent_never_exceeds_the_total():
    budget, most, lock = ByteBudget(100), [0], threading.Lock()

    def borrow(num_bytes: int) -> None:
        for _ in range(50):
            with budget.loan(60.0) as reserve:
                reserve(num_bytes)
                with lock:
                    most[0] = max(most[0], budget.lent)

    threads = [threading.Thread(target=borrow, args=[n]) for n in (30, 40, 50, 100, 1000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert 0 < most[0] <= 100
    assert budget.lent == 0


def test_a_small_loan_passes_a_large_one_that_waits():
    budget, passed = ByteBudget(100), threading.Event()

    def wait_for_much() -> None:
        with budget.loan(60.0) as reserve:
            reserve(90)
            passed.set()

    with budget.loan(60.0) as reserve:
        reserve(50)
        large = threading.Thread(target=wait_for_much)
        large.start()
        with budget.loan(0.0) as other:
            other(50)
        assert not passed.is_set()
    large.join(60)
    assert passed.is_set()


def test_bytes_that_are_not_free_in_time_are_refused_and_nothing_is_kept():
    budget = ByteBudget(100)
    with budget.loan(0.0) as reserve:
        reserve(60)
        with pytest.raises(DecodingTooSlow), budget.loan(0.01) as other:
            other(60)
        assert budget.lent == 60
    assert budget.lent == 0


def test_memory_is_given_back_after_each_large_loan_and_after_no_small_one():
    given_back = []
    budget = ByteBudget(100, lambda: given_back.append(budget.lent))
    for num_bytes in (5, 50, 24, 1000):
        with budget.loan(0.0) as reserve:
            reserve(num_bytes)
    assert given_back == [50, 100]
