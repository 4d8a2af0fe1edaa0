"""The trials of a search as a table."""

from collections.abc import Sequence

from rich.table import Table

from trainer.search.study import Point


def points_table(points: Sequence[Point], best: Point) -> Table:
    """Return the trials in order, the best in bold."""
    table = Table("trial", *best.settings, "validation", "loss", "epochs", "")
    for point in points:
        values = (_short(point.settings.get(key)) for key in best.settings)
        figures = _short(point.val_accuracy), _short(point.train_loss), str(point.epochs)
        style = "bold" if point is best else None
        table.add_row(str(point.number), *values, *figures, point.state, style=style)
    return table


def _short(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
