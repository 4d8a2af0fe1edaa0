"""A result in the terminal: what was measured, the figures with goals, and the notes."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.bench.result import Result


def show(result: Result) -> None:
    """Print the rows, then the ratios with their quartiles, then the notes."""
    console = Console()
    console.print(_rows(result))
    for name, value in result.ratios.items():
        console.print(f"{name} = {told_ratio(value, result.spreads.get(name))}", highlight=False)
    for note in result.notes:
        console.print(f"- {note}", markup=False, highlight=False)


def _rows(result: Result) -> Table:
    columns = columns_of(result.rows)
    table = Table(title=result.name, title_justify="left")
    for column in columns:
        numeric = any(isinstance(row.get(column), int | float) for row in result.rows)
        table.add_column(column, justify="right" if numeric else "left")
    for row in result.rows:
        table.add_row(*(written(row.get(column)) for column in columns))
    return table


def columns_of(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Return every key of any row, in the order in which they come."""
    return list(dict.fromkeys(key for row in rows for key in row))


def told_ratio(value: float | dict[str, float] | None, spread: tuple[float, float] | None) -> str:
    """Return a figure and, where there are any, its quartiles; one by a setting as a list."""
    if value is None:
        return "not measured"
    if isinstance(value, dict):
        return ", ".join(f"{setting}: {written(one)}" for setting, one in value.items())
    quartiles = f" (quartiles {written(spread[0])} to {written(spread[1])})" if spread else ""
    return written(value) + quartiles


def written(value: Any) -> str:
    """Return a cell: three digits that count of a float, thousands apart, nothing for None."""
    if value is None:
        return ""
    if not isinstance(value, float):
        return str(value)
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3g}"
