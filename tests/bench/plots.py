"""What each benchmark's picture shows; every function fills an empty figure from rows."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

Row = dict[str, Any]

BLUE, GREY, ORANGE = "#2f6db3", "#b4b8bd", "#d9822b"
COLOURS = (BLUE, ORANGE, "#4c9a6a", "#8d6ab8", "#b3474f")


def engine(figure: Figure, rows: list[Row]) -> None:
    """Throughput of every candidate relative to the plain trunk, at the largest batch."""
    panels = [_largest_batch(panel) for panel in _by(rows, "model", "precision").values()]
    tallest = max(len(panel) for panel in panels)
    columns = min(2, len(panels))
    lines = -(-len(panels) // columns)
    figure.set_size_inches(5.2 * columns, lines * (0.9 + 0.28 * tallest))
    for number, panel in enumerate(panels, 1):
        _engine_panel(figure.add_subplot(lines, columns, number), panel)


def _largest_batch(panel: list[Row]) -> list[Row]:
    largest = max(row["batch"] for row in panel)
    return [row for row in panel if row["batch"] == largest]


def _engine_panel(axes: Axes, rows: list[Row]) -> None:
    values = [row["over_plain"] for row in rows]
    errors = [
        [max(0.0, row["over_plain"] - row["low"]) for row in rows],
        [max(0.0, row["high"] - row["over_plain"]) for row in rows],
    ]
    names = [row["candidate"] for row in rows]
    colours = [GREY if name == "plain" else BLUE for name in names]
    axes.barh(names, values, xerr=errors, color=colours, height=0.65, error_kw={"lw": 1})
    axes.axvline(1, color="#4a4a4a", lw=0.8, ls=":")
    end = max(1.0, *(row["high"] for row in rows))
    for place, row in enumerate(rows):
        label = f"{row['over_plain']:.2f} ({row['images_per_s']:,.0f}/s)"
        axes.text(1.04 * end, place, label, va="center", size=7.5)
    axes.set_xlim(0, 1.4 * end)
    axes.invert_yaxis()
    axes.tick_params(axis="y", length=0)
    axes.set_title(f"{rows[0]['model']}, {rows[0]['precision']}, batch of {rows[0]['batch']}")
    axes.set_xlabel("throughput relative to the plain trunk")


def tasks(figure: Figure, rows: list[Row]) -> None:
    """Throughput against the number of tasks, relative to one task."""
    figure.set_size_inches(6, 3.6)
    axes = figure.add_subplot()
    for colour, line in zip(COLOURS, _by(rows, "popularity").values(), strict=False):
        counts = [row["tasks"] for row in line]
        low, high = [row["low"] for row in line], [row["high"] for row in line]
        axes.fill_between(counts, low, high, color=colour, alpha=0.15, lw=0)
        over_one = [row["over_one_task"] for row in line]
        axes.plot(counts, over_one, marker="o", ms=4, color=colour, label=line[0]["popularity"])
    counts = sorted({row["tasks"] for row in rows})
    axes.set_xscale("log")
    axes.set_xticks(counts, [f"{count:,}" for count in counts])
    axes.minorticks_off()
    axes.set_ylim(0, 1.05 * max(1.0, *(row["high"] for row in rows)))
    axes.axhline(1, color="#4a4a4a", lw=0.8, ls=":")
    axes.grid(axis="y")
    axes.set_xlabel("tasks served by the one backbone")
    axes.set_ylabel("images/s relative to one task")
    axes.set_title("Throughput as tasks are added (band: quartiles)")
    axes.legend(title="popularity of tasks", loc="lower left")


def cold(figure: Figure, rows: list[Row]) -> None:
    """Median and 99th percentile of every measure."""
    figure.set_size_inches(6, 1.4 + 0.5 * len(rows))
    axes = figure.add_subplot()
    for shift, key, colour, label in (
        (-0.19, "median_ms", BLUE, "median"),
        (0.19, "p99_ms", GREY, "99th percentile"),
    ):
        places = [place + shift for place in range(len(rows))]
        bars = axes.barh(places, [row[key] for row in rows], 0.36, color=colour, label=label)
        axes.bar_label(bars, fmt="%.3g ms", padding=3, size=7.5)
    axes.set_yticks(range(len(rows)), [row["measure"] for row in rows])
    axes.tick_params(axis="y", length=0)
    axes.invert_yaxis()
    axes.margins(x=0.15)
    axes.set_xlabel("milliseconds")
    axes.set_title("Time with warm and with cold adapters")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.25), ncols=2)


def http(figure: Figure, rows: list[Row]) -> None:
    """Left: latency against the offered rate; right: what each service answers at most."""
    figure.set_size_inches(9, 3.6)
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    offered = [row for row in rows if row["offered_per_s"] is not None]
    for colour, line in zip(COLOURS, _by(offered, "service").values(), strict=False):
        rates = [row["offered_per_s"] for row in line]
        for key, style in (("p50_ms", "-"), ("p99_ms", "--")):
            label = f"{line[0]['service']}, {key[:3]}"
            latencies = [row[key] for row in line]
            left.plot(rates, latencies, style, marker="o", ms=4, color=colour, label=label)
    left.set_ylim(bottom=0)
    left.set_xlim(left=0)
    left.grid(axis="y")
    left.set_xlabel("requests offered per second, at a constant rate")
    left.set_ylabel("milliseconds since the request was due")
    left.set_title("Latency under an open load")
    left.legend(loc="upper left")
    most = [row for row in rows if row["offered_per_s"] is None]
    _bars(right, most, lambda row: row["service"], "answered_per_s")
    right.set_xlabel("images answered per second")
    right.set_title("Saturation")


def decode(figure: Figure, rows: list[Row]) -> None:
    """Images per second of every decoder, one panel per stage and number of threads."""
    panels = list(_by(rows, "stage", "threads").values())
    lines = -(-len(panels) // 2)
    figure.set_size_inches(9, lines * (0.9 + 0.42 * max(map(len, panels))))
    for number, panel in enumerate(panels, 1):
        axes = figure.add_subplot(lines, 2, number)
        _bars(axes, panel, _decoder, "images_per_s")
        threads = panel[0]["threads"]
        axes.set_title(f"{panel[0]['stage']}, {threads} thread{'s' if threads > 1 else ''}")
        axes.set_xlabel("images per second")


def _decoder(row: Row) -> str:
    """Name what cannot be used with adapters that were trained on other pixels."""
    difference = row["max_difference"]
    return f"{row['decoder']}\npixels off by {difference}" if difference else row["decoder"]


def _bars(axes: Axes, rows: list[Row], name: Callable[[Row], str], key: str) -> None:
    bars = axes.barh([name(row) for row in rows], [row[key] for row in rows], 0.65, color=BLUE)
    axes.bar_label(bars, fmt="{:,.0f}", padding=3, size=7.5)
    axes.tick_params(axis="y", length=0)
    axes.margins(x=0.15)
    axes.invert_yaxis()


def _by(rows: Iterable[Row], *keys: str) -> dict[tuple[Any, ...], list[Row]]:
    groups: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in rows:
        groups[tuple(row[key] for key in keys)].append(row)
    return groups


def training(figure: Figure, rows: list[Row]) -> None:
    """Time of a training step over that of the token form."""
    shown = [row for row in rows if row["form"] != "tokens"]
    figure.set_size_inches(6, 1.0 + 0.4 * len(shown))
    axes = figure.add_subplot()
    names = [f"{row['backbone']}, {row['precision']}" for row in shown]
    values = [row["time_over_tokens"] for row in shown]
    axes.barh(names, values, color=BLUE, height=0.6)
    axes.axvline(1, color="#4a4a4a", lw=0.8, ls=":")
    end = max(1.0, *values)
    for place, row in enumerate(shown):
        label = f"{row['time_over_tokens']:.2f} ({row['ms_per_image']:,.3g} ms an image)"
        axes.text(1.02 * end, place, label, va="center", size=7.5)
    axes.set_xlim(0, 1.6 * end)
    axes.invert_yaxis()
    axes.set_title("Time of a training step over the token form's")


def kmeans(figure: Figure, rows: list[Row]) -> None:
    """Seconds of the forward pass and of the clustering, round by round."""
    figure.set_size_inches(6, 1.2 + 0.35 * len(rows))
    axes = figure.add_subplot()
    places = range(len(rows))
    forward = [row["forward_s"] for row in rows]
    axes.barh(places, forward, color=GREY, height=0.6, label="forward pass")
    clustering = [row["clustering_s"] for row in rows]
    axes.barh(places, clustering, left=forward, color=BLUE, height=0.6, label="k-means")
    axes.set_yticks(places, [f"round {row['round'] + 1}" for row in rows])
    axes.invert_yaxis()
    axes.set_xlabel("seconds")
    axes.legend(loc="upper right")
    axes.set_xlim(0, 1.35 * max(f + c for f, c in zip(forward, clustering, strict=True)))
    axes.set_title("K-means of all patch tokens of all layers beside the pass that makes them")
