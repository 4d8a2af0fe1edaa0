"""What a person sees while requests fly: one bar, or now and then a line without a terminal."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from clients.demo.records import Record
from clients.demo.wording import short

_WITHOUT_TERMINAL_EVERY: Final = 200
"""Where there is no terminal, one line is printed every so many answers."""


@contextmanager
def traffic_bar(console: Console, planned: int, swapped: str) -> Iterator[Callable[[Record], None]]:
    """Show the traffic's progress; yields the watch to tell of every record.

    Args:
        console: where to.
        planned: how many requests at least.
        swapped: the task whose change of version is worth a line.
    """
    columns = (
        TextColumn("requests"),
        BarColumn(),
        TextColumn("{task.completed:.0f} answered, {task.fields[failed]} failed"),
        TimeElapsedColumn(),
    )
    seen: list[str | None] = []
    with Progress(*columns, console=console) as bar:
        row = bar.add_task("requests", total=planned, failed=0)

        def watch(record: Record) -> None:
            failed = bar.tasks[0].fields["failed"] + (record.outcome.error is not None)
            done = bar.tasks[0].completed + 1
            bar.update(row, advance=1, failed=failed, total=max(planned, done))
            if record.pick.task == swapped and record.version and record.version not in seen:
                seen.append(record.version)
                console.print(f"{swapped}: version {short(record.version)} answers")
            if not console.is_terminal and done % _WITHOUT_TERMINAL_EVERY == 0:
                console.print(f"{done:.0f} requests answered, {failed} failed")

        yield watch
