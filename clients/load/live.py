"""How a load goes while it runs: the figures of the last seconds, at the terminal."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple

from rich.console import Console
from rich.live import Live
from rich.table import Table

from clients.load.closed import Outcome
from clients.load.figures import figures_by_task, figures_table

WINDOW_S: Final = 5.0
_LOOKS_PER_S: Final = 4
_MOST: Final = 20_000
"""Outcomes that are looked at: of a fast load, less than the window."""


class _Seen(NamedTuple):
    at: float
    task: str
    outcome: Outcome


class Window:
    """The outcomes of the last seconds.

    Args:
        tasks: of the asks, in their order.
        clock: seconds that only grow.
    """

    def __init__(
        self, tasks: Iterator[str], clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._tasks = tasks
        self._clock = clock
        self._names: list[str] = []
        self._seen: deque[_Seen] = deque(maxlen=_MOST)

    def add(self, outcome: Outcome) -> None:
        """Take note of an outcome."""
        while len(self._names) <= outcome.ask_index:
            self._names.append(next(self._tasks))
        self._seen.append(_Seen(self._clock(), self._names[outcome.ask_index], outcome))

    def table(self) -> Table:
        """Return the figures as a table."""
        since = self._clock() - WINDOW_S
        seen = [one for one in tuple(self._seen) if one.at >= since]
        table = figures_table(
            figures_by_task([one.task for one in seen], [one.outcome for one in seen])
        )
        table.caption = f"the last {WINDOW_S:g} s"
        return table


@contextmanager
def live_view(tasks: Iterator[str], *, is_wanted: bool) -> Iterator[Callable[[Outcome], None]]:
    """Show the figures of the last seconds on standard error while the block runs.

    Args:
        tasks: of the asks, in their order.
        is_wanted: else nothing is shown.

    Yields:
        To be told of each outcome.
    """
    window = Window(tasks)
    if not is_wanted:
        yield lambda _: None
        return
    with Live(
        get_renderable=window.table,
        console=Console(stderr=True),
        refresh_per_second=_LOOKS_PER_S,
        transient=True,
    ):
        yield window.add
