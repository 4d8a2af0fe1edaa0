"""What a person sees of a fleet: lines that stay, a bar for all tasks and one for each that runs.

Where the output is no terminal there are the lines alone, and what runs is named each half minute.
"""

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn
from rich.table import Table

from adapters.shown import shown
from adapters.streams import Stream, say
from trainer.fleet.fleet import Audience, Standing
from trainer.page.words import duration

_SILENCE_S: Final = 30.0
_MOST_NAMED: Final = 8


@contextmanager
def audience(stream: Stream = "stdout") -> Iterator[Audience]:
    """Show a fleet in this block, by bars where there is a terminal."""
    file = getattr(sys, stream)
    if not file.isatty():
        yield Lines(stream)
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[figures]}", markup=False),
    )
    with Progress(*columns, console=Console(file=file)) as bars:
        yield Bars(bars)


class Lines:
    """Plain lines; never silent for long while something runs."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._said_at = time.monotonic()

    def say(self, line: str) -> None:
        """Print one line."""
        self._said_at = time.monotonic()
        say(line, self._stream)

    def show(self, standings: Sequence[Standing]) -> None:
        """Name what runs, if nothing was said for half a minute."""
        running = [one for one in standings if one.state == "running"]
        if running and time.monotonic() - self._said_at >= _SILENCE_S:
            named = [f"{one.job.task} ({_figures(one)})" for one in running[:_MOST_NAMED]]
            more = ", …" if len(running) > _MOST_NAMED else ""
            self.say(f"{_over(standings)} of {len(standings)} over; now: {', '.join(named)}{more}")


class Bars:
    """A bar for all tasks, and one for each that runs."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._all = bars.add_task("fleet", total=None, figures="")
        self._rows: dict[str, TaskID] = {}

    def say(self, line: str) -> None:
        """Print one line above the bars."""
        self._bars.console.print(shown(line), markup=False, highlight=False, soft_wrap=True)

    def show(self, standings: Sequence[Standing]) -> None:
        """Move the bars."""
        failed = sum(one.state == "failed" for one in standings)
        figures = f"{_over(standings)}/{len(standings)}" + (f", {failed} failed" if failed else "")
        self._bars.update(
            self._all, total=len(standings), completed=_over(standings), figures=figures
        )
        running = {one.job.task: one for one in standings if one.state == "running"}
        for task in self._rows.keys() - running.keys():
            self._bars.remove_task(self._rows.pop(task))
        for task, one in running.items():
            if task not in self._rows:
                self._rows[task] = self._bars.add_task(f"  {task}", total=None, figures="")
            reached = one.reached
            done, of = (0.0, None) if reached is None else (reached.epochs, reached.of)
            self._bars.update(self._rows[task], total=of, completed=done, figures=_figures(one))


def standings_table(standings: Sequence[Standing]) -> Table:
    """Return a row for each task: how it stands, its scores, or why it failed."""
    table = Table("task", "", "test", "validation", "training", "tries")
    table.add_column("why", no_wrap=True, overflow="ellipsis")  # a line has said all of it
    for one in standings:
        scores = one.scores
        figures = ("-", "-", "-")
        if scores is not None:
            test = f"{scores.title} {scores.test:.4f}"
            figures = (test, f"{scores.validation:.4f}", duration(scores.seconds))
        style = "bold red" if one.state == "failed" else None
        reason = shown(one.reason).replace("[", r"\[")
        table.add_row(one.job.task, one.state, *figures, str(one.tries), reason, style=style)
    return table


def _over(standings: Sequence[Standing]) -> int:
    return sum(one.is_finished or one.state == "failed" for one in standings)


def _figures(standing: Standing) -> str:
    reached = standing.reached
    if reached is None:
        return "preparing"
    return f"epoch {reached.epochs:.1f}/{reached.of} loss {reached.loss:.3f}"
