"""What a person sees while a task trains: one bar with loss, accuracy and time left."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from trainer.training.checkpoint import Progress as Reached
from trainer.training.loop import Watch

_WITHOUT_TERMINAL_EVERY = 10
"""Where there is no terminal, one line is printed per this many epochs."""


@contextmanager
def training_bar(title: str, epochs: int) -> Iterator[Watch]:
    """Show progress on the terminal; yields the watch that the training loop calls."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[figures]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns) as bar:
        row = bar.add_task(title, total=None, figures="reading images")

        def watch(reached: Reached, step: int, steps: int, loss: float) -> None:
            figures = f"epoch {reached.epochs + 1}/{epochs} loss {loss:.3f}"
            if reached.val_accuracies:
                figures += f" val {reached.val_accuracies[-1]:.3f}"
            done = reached.epochs * steps + step
            bar.update(row, total=epochs * steps, completed=done, figures=figures)
            if not bar.console.is_terminal and _is_milestone(reached.epochs, step, steps):
                bar.console.print(f"{title}: {figures}")

        yield watch


def _is_milestone(epochs: int, step: int, steps: int) -> bool:
    return step == steps and (epochs + 1) % _WITHOUT_TERMINAL_EVERY == 0
