"""The trials of a sweep as a table."""

from collections.abc import Sequence

from rich.table import Table

from trainer.sweeping.grid import Trial


def trials_table(trials: Sequence[Trial], best: Trial) -> Table:
    """Return a sweep's trials, the best in bold."""
    names = (name.replace("_", " ") for name in best.settings)
    table = Table(*names, "validation", "loss", "s")
    for trial in trials:
        values = [f"{value:g}" for value in trial.settings.values()]
        figures = f"{trial.val_accuracy:.4f}", f"{trial.train_loss:.4f}", f"{trial.seconds:.0f}"
        table.add_row(*values, *figures, style="bold" if trial is best else None)
    return table
