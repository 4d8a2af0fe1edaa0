"""The report's kinds of charts: lines over epochs, histograms, requests over time.

Knows nothing of the demo; values in, positions out.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from clients.demo.drawing import BOTTOM, LEFT, RIGHT, TOP, Bar, Chart, Mark, Series, Tick
from clients.demo.scale import Scale, histogram, number, ticks


@dataclass(frozen=True)
class _Axes:
    x: Scale
    y: Scale
    width: int
    height: int

    def chart(
        self,
        description: str,
        names: tuple[str, str],
        write_y: Callable[[float], str] = number,
        x_ticks: Sequence[Tick] | None = None,
    ) -> Chart:
        shown = [(self.x(v), number(v)) for v in ticks(self.x.low, self.x.high)]
        y_ticks = [(self.y(v), write_y(v)) for v in ticks(self.y.low, self.y.high, 4)]
        return Chart(
            description, self.width, self.height, shown if x_ticks is None else x_ticks, y_ticks,
            *names,
        )  # fmt: skip

    def place(self, series: Series) -> Series:
        placed = [(self.x(x), self.y(y)) for x, y in series.points]
        return Series(series.kind, series.name, placed)


def _axes(x: tuple[float, float], y: tuple[float, float], width: int, height: int) -> _Axes:
    return _Axes(Scale(*x, LEFT, width - RIGHT), Scale(*y, height - BOTTOM, TOP), width, height)


def line_chart(
    series: Series,
    *,
    description: str,
    high: float,
    write_y: Callable[[float], str] = number,
    level: tuple[float, str] | None = None,
) -> Chart:
    """Draw one value per epoch, from 0 to `high`, and a level to compare with."""
    last = max((x for x, _ in series.points), default=1.0)
    axes = _axes((0, max(1.0, last)), (0, high), 340, 190)
    chart = axes.chart(description, ("epoch", series.name), write_y)
    marks = [Mark(axes.y(level[0]), level[1], is_upright=False)] if level else []
    return _with(chart, lines=[axes.place(series)], marks=marks)


def count_chart(counts: dict[str, int], *, description: str, names: tuple[str, str]) -> Chart:
    """Draw one bar per named count."""
    axes = _axes((0, len(counts)), (0, max(counts.values(), default=1)), 340, 220)
    ticks_x = [(axes.x(i + 0.5), name) for i, name in enumerate(counts)]
    titles = [f"{name}: {value}" for name, value in counts.items()]
    chart = axes.chart(description, names, x_ticks=ticks_x)
    return _with(chart, bars=_bars(axes, list(counts.values()), 1.0, titles, gap=0.24))


def latency_chart(values_ms: Sequence[float], marks: Sequence[tuple[float, str]]) -> Chart:
    """Draw how many requests took how long; the last bar holds all slower ones."""
    slowest = max((value for value, _ in marks), default=1.0) * 1.3
    num_bins, high = 32, max(slowest, 1.0)
    counts = histogram(values_ms, num_bins, high)
    axes = _axes((0, high), (0, max(1, *counts) * 1.3), 340, 220)
    step = high / num_bins
    titles = [f"{i * step:.0f} to {(i + 1) * step:.0f} ms: {n}" for i, n in enumerate(counts)]
    description = "Histogram of the time a caller waits, " + ", ".join(text for _, text in marks)
    chart = axes.chart(description, ("milliseconds", "requests"))
    placed = [Mark(axes.x(value), text) for value, text in marks]
    return _with(chart, bars=_bars(axes, counts, step, titles, gap=0.06), marks=placed)


def timeline(series: Sequence[Series], marks: Sequence[tuple[float, str]]) -> Chart:
    """Draw every request as a dot: when it was answered, how long it took, by which version."""
    points = [point for one in series for point in one.points]
    ends = (max((x for x, _ in points), default=1.0), max((y for _, y in points), default=1.0))
    axes = _axes((min((x for x, _ in points), default=0.0), ends[0]), (0, ends[1] * 1.2), 720, 260)
    counts = ", ".join(f"{one.name}: {len(one.points)}" for one in series)
    chart = axes.chart(f"Requests over time. {counts}", ("seconds", "milliseconds"))
    placed = [Mark(axes.x(value), text) for value, text in marks]
    return _with(chart, dots=[axes.place(one) for one in series], marks=placed)


def _bars(
    axes: _Axes, counts: Sequence[int], step: float, titles: Sequence[str], gap: float
) -> list[Bar]:
    width = (axes.x(step) - axes.x(0)) * (1 - gap)
    bars = []
    for i, (value, title) in enumerate(zip(counts, titles, strict=True)):
        x, y = axes.x((i + gap / 2) * step), axes.y(value)
        bars.append(Bar(x, y, round(width, 1), round(axes.y(0) - y, 1), title))
    return bars


def _with(chart: Chart, **parts: Sequence[object]) -> Chart:
    return Chart(**(vars(chart) | parts))
