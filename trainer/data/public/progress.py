"""What a person sees while an archive is downloaded: one bar with its speed."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from trainer.data.public.fetch import Watch


@contextmanager
def download_bar(name: str, console: Console) -> Iterator[Watch]:
    """Show progress on the terminal; yields the watch that `fetch` calls."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, TransferSpeedColumn(), console=console, transient=True) as bar:
        row = bar.add_task(name, total=None)
        yield lambda done, total: bar.update(row, completed=done, total=total)
