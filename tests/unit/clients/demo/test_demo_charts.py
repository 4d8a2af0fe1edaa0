"""Values land where they belong, and never outside the chart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients.demo.charts import count_chart, latency_chart, line_chart, timeline
from clients.demo.drawing import Series
from clients.demo.scale import Scale, histogram, number, ticks


def test_a_scale_maps_its_ends_and_may_run_downwards():
    scale = Scale(0, 10, 200, 100)
    assert [scale(0), scale(5), scale(10)] == [200, 150, 100]


def test_a_scale_without_a_span_stays_at_its_start():
    assert Scale(3, 3, 10, 20)(3) == 10


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (0, 93, [0, 20, 40, 60, 80]),
        (2.3, 4.1, [2.5, 3, 3.5, 4]),
        (5, 5, [5]),
    ],
)
def test_ticks_are_round_and_inside(low, high, expected):
    assert ticks(low, high) == expected


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))
def test_ticks_are_few_and_inside_of_any_range(low, span):
    found = ticks(low, low + span)
    slack = 1e-6 * max(1, abs(low), span)
    assert 1 <= len(found) <= 7
    assert all(low - slack <= tick <= low + span + slack for tick in found)


def test_numbers_have_no_needless_zeros():
    assert [number(value) for value in (0.0, 0.2, 1500.0)] == ["0", "0.2", "1,500"]


def test_the_last_bin_holds_what_is_larger():
    assert histogram([0, 1, 9, 10, 99], 5, 10) == [2, 0, 0, 0, 3]


def inside(chart, points):
    return all(chart.left <= x <= chart.right and chart.top <= y <= chart.bottom for x, y in points)


def test_every_kind_of_chart_keeps_its_values_inside():
    series = Series("new", "loss", [(1, 2.0), (2, 0.5)])
    line = line_chart(series, description="d", high=2.0, level=(1.0, "probe"))
    assert inside(line, line.lines[0].points)
    assert line.top < line.marks[0].at < line.bottom
    dots = timeline([series, Series("old", "none", [])], [(1.5, "now")])
    assert inside(dots, dots.dots[0].points)
    for bars in (
        count_chart({"1": 3, "2": 0}, description="d", names=("x", "y")),
        latency_chart([3.0, 500.0], [(3.0, "p50")]),
    ):
        corners = [(bar.x + dx, bar.y) for bar in bars.bars for dx in (0, bar.width)]
        assert inside(bars, corners)
        assert all(bar.y + bar.height == pytest.approx(bars.bottom) for bar in bars.bars)


def test_charts_of_nothing_are_charts():
    assert timeline([Series("new", "none", [])], []).dots
    assert latency_chart([], []).bars
    assert count_chart({"1": 0}, description="d", names=("x", "y")).bars
