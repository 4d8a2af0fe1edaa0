"""Values land where they belong, and ticks are round, few and within."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.page.scale import Scale, around, histogram, levels, number


def test_a_scale_maps_its_ends_and_may_run_downwards():
    scale = Scale(0, 10, 200, 100)
    assert [scale(0), scale(5), scale(10)] == [200, 150, 100]


def test_a_scale_without_a_span_stays_at_its_start():
    assert Scale(3, 3, 10, 20)(3) == 10


def test_a_logarithmic_scale_spaces_powers_evenly():
    scale = Scale(1, 1000, 0, 300, is_log=True)
    assert [scale(value) for value in (1, 10, 100, 1000)] == pytest.approx([0, 100, 200, 300])
    assert scale.ticks() == [1, 10, 100, 1000]


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (0, 93, [0, 20, 40, 60, 80]),
        (2.3, 4.1, [2.5, 3, 3.5, 4]),
    ],
)
def test_ticks_are_round_and_inside(low: float, high: float, expected: list[float]):
    assert Scale(low, high).ticks(5) == expected


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))
def test_ticks_are_few_and_inside_of_any_range(low: float, span: float):
    found = Scale(low, low + span).ticks(5)
    slack = 1e-6 * max(1, abs(low), span)
    assert 1 <= len(found) <= 7
    assert all(low - slack <= tick <= low + span + slack for tick in found)


@pytest.mark.parametrize(
    ("low", "high"),
    [(0.0, 1.0), (0.63, 0.65), (0.0, 2e-12), (5.0, 5.0), (0.0, 0.0), (-3.0, 7.0), (1e6, 3e6)],
)
def test_an_axis_encloses_its_values_in_few_even_steps(low: float, high: float):
    found = levels(low, high)
    slack = 1e-6 * (found[1] - found[0])
    assert found[0] <= low + slack
    assert found[-1] >= high - slack
    assert 2 <= len(found) <= 7
    steps = [b - a for a, b in pairwise(found)]
    assert steps == pytest.approx([steps[0]] * len(steps))


def test_an_enclosing_scale_has_a_tick_at_its_top():
    scale = around([0.3, 2.3], floor=0.0)
    assert (scale.low, scale.high) == (0, 3)
    assert scale.ticks()[-1] == scale.high


def test_numbers_have_no_needless_zeros():
    assert [number(value) for value in (0.0, 0.2, 1500.0, -2)] == [
        "0",
        "0.2",
        "1,500",
        "\N{MINUS SIGN}2",
    ]


def test_the_last_bin_holds_what_is_larger():
    assert histogram([0, 1, 9, 10, 99], 5, 10) == [2, 0, 0, 0, 3]
