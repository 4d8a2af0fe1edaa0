"""What a load showed: figures for each task and for all, and why requests failed."""

from collections import Counter
from collections.abc import Sequence

from rich.box import SIMPLE
from rich.table import Column, Table
from rich.text import Text

from adapters.shown import shown
from clients.load.closed import LatencySummary, Outcome, latency_summary

ALL = "all"
"""Above the figures of all tasks together."""


def figures_by_task(tasks: Sequence[str], outcomes: Sequence[Outcome]) -> dict[str, LatencySummary]:
    """Return the figures of each task, and of all together where there are several.

    Args:
        tasks: of each outcome.
        outcomes: of one load.
    """
    pairs = list(zip(tasks, outcomes, strict=True))
    figures = {
        name: latency_summary([outcome for task, outcome in pairs if task == name])
        for name in sorted(set(tasks))
    }
    return figures if len(figures) == 1 else figures | {ALL: latency_summary(outcomes)}


def failures(outcomes: Sequence[Outcome]) -> dict[str, int]:
    """Return how many failed for each reason, the most frequent first."""
    return dict(Counter(str(o.error) for o in outcomes if o.error is not None).most_common())


def figures_table(figures: dict[str, LatencySummary]) -> Table:
    """Return a table with one row for each entry."""
    names = ("requests/s", "p50 ms", "p99 ms", "failed")
    table = Table("task", *(Column(name, justify="right") for name in names), box=SIMPLE)
    for name, row in figures.items():
        times = (_time(row["p50_ms"]), _time(row["p99_ms"]))
        rate, failed = f"{row['requests_per_s']:,.1f}", f"{row['failed']:,}"
        table.add_row(
            Text(shown(name)), rate, *times, failed, style="bold" if name == ALL else None
        )
    return table


def _time(value_ms: float | None) -> str:
    return "-" if value_ms is None else f"{value_ms:,.1f}"
