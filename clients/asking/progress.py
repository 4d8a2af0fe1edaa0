"""How far a long call is, at the terminal."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def progress_bar(total: int | None, *, is_wanted: bool) -> Iterator[Callable[[object], None]]:
    """Show a bar on standard error while the block runs, and take it away at its end.

    Args:
        total: how many there are, None where nobody knows.
        is_wanted: else nothing is shown.

    Yields:
        To be called with each that is done.
    """
    if not is_wanted:
        yield lambda _: None
        return
    from rich.console import Console  # noqa: PLC0415 (of those alone who want a bar)
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("images"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("images", total=total)
        yield lambda _: progress.advance(bar)
