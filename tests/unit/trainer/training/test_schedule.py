"""The learning rate rises in a line, falls along half a cosine, and ends at the floor."""

import itertools
import math

import pytest

from trainer.training.schedule import FLOOR, learning_rate

PEAK = 0.05


def rates(total: int, warmup: int) -> list[float]:
    return [
        learning_rate(step, peak=PEAK, warmup_steps=warmup, total_steps=total)
        for step in range(total)
    ]


def test_warm_up_starts_at_zero_and_reaches_the_peak():
    assert rates(100, 10)[0] == 0
    assert rates(100, 10)[5] == pytest.approx(PEAK / 2)
    assert rates(100, 10)[10] == PEAK


@pytest.mark.parametrize(("total", "warmup"), [(100, 10), (100, 0), (7, 3), (2, 0)])
def test_the_last_step_is_made_at_the_floor(total: int, warmup: int):
    assert rates(total, warmup)[-1] == pytest.approx(FLOOR, rel=1e-6)
    assert FLOOR == 1e-8


def test_without_warm_up_the_first_step_is_made_at_the_peak():
    assert rates(100, 0)[0] == PEAK


def test_the_rate_rises_strictly_then_falls_strictly():
    curve = rates(50, 10)
    assert all(a < b for a, b in itertools.pairwise(curve[:11]))
    assert all(a > b for a, b in itertools.pairwise(curve[10:]))


def test_halfway_down_the_rate_is_half_the_peak():
    assert rates(101, 0)[50] == pytest.approx((PEAK + FLOOR) / 2)


@pytest.mark.parametrize(("total", "warmup"), [(1, 0), (1, 1), (3, 10), (2, 2)])
def test_a_run_that_is_all_warm_up_still_has_finite_rates_below_the_peak(total: int, warmup: int):
    assert all(math.isfinite(rate) and 0 <= rate <= PEAK for rate in rates(total, warmup))


def test_steps_beyond_the_end_stay_at_the_floor():
    beyond = learning_rate(500, peak=PEAK, warmup_steps=10, total_steps=100)
    assert beyond == pytest.approx(FLOOR)
