"""The rows in the terminal."""

from collections.abc import Iterable

from rich.console import Console
from rich.table import Table

from tests.faults.row import Row


def show(rows: Iterable[Row]) -> None:
    """Print what was broken, what must hold, what was seen, and whether it held."""
    table = Table(title="faults", title_justify="left", show_lines=True)
    for column in ("fault", "goal", "figure", "holds"):
        table.add_column(column)
    for row in rows:
        holds = "yes" if row.holds else "[bold red]no[/]"
        table.add_row(row.fault, row.goal, _figure(row), holds)
    Console().print(table)


def _figure(row: Row) -> str:
    """Return the figure, and below it what may not have happened and did."""
    happened = [f"{count:,} {what}" for what, count in row.must_be_0.items() if count]
    return "\n".join([row.figure, *happened])
