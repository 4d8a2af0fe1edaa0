"""What a person sees of training: a bar with loss, accuracy and time left; a sweep's trials."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from trainer.experiment.sweep import Trial
from trainer.training.checkpoint import Progress as Reached
from trainer.training.loop import Watch

_WITHOUT_TERMINAL_EVERY = 10
"""Where there is no terminal, one line is printed per this many epochs."""


@contextmanager
def training_bar(title: str, epochs: int, console: Console | None = None) -> Iterator[Watch]:
    """Show progress on the terminal; yields the watch that the training loop calls.

    Args:
        title: what is trained.
        epochs: of the whole training.
        console: where it is shown; None is the standard output.
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[figures]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as bar:
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


def trials_table(trials: Sequence[Trial], best: Trial) -> Table:
    """Return a sweep's trials, the best in bold."""
    table = Table("lr", "weight decay", "head weight decay", "validation", "loss", "s")
    for trial in trials:
        values = [f"{value:g}" for value in trial.settings.values()]
        figures = f"{trial.val_accuracy:.4f}", f"{trial.train_loss:.4f}", f"{trial.seconds:.0f}"
        table.add_row(*values, *figures, style="bold" if trial is best else None)
    return table
