"""What people see of tasks and their sizes: the table of all, and what was found of one.

Knows what is known of tasks; reads none.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, Final

from rich.box import SIMPLE
from rich.table import Column, Table

from trainer.data.public.task import PublicTask

_SIZES: Final = ("classes", "train", "val", "test")
Row = dict[str, Any]


def task_rows(builtin: Iterable[str], public: Mapping[str, PublicTask]) -> list[Row]:
    """Return a row for each task: its name, group, title, sizes where known, how it is had.

    Args:
        builtin: names of the tasks that come with the package.
        public: the public tasks by name, those of a group together.
    """
    rows: list[Row] = [
        {"task": name, "group": "built-in", "title": "needs no download"} for name in builtin
    ]
    for name, task in public.items():
        had = {"fetch": "command" if task.archives else "by hand"}
        rows.append(
            {"task": name, "group": task.group, "title": task.title, **task.all_sizes(), **had}
        )
    return rows


def task_table(rows: Sequence[Row]) -> Table:
    """Return the rows as a table, by group."""
    table = Table(
        Column("task", no_wrap=True),
        "what it is",
        *(Column(name, justify="right") for name in _SIZES),
        Column("fetch", no_wrap=True),
        box=SIMPLE,
        padding=(0, 1, 0, 0),
    )
    for group, tasks in groupby(rows, key=lambda row: str(row["group"])):
        table.add_section()
        table.add_row(f"[bold]{group}")
        for row in tasks:
            sizes = (f"{row[name]:,}" if name in row else "" for name in _SIZES)
            table.add_row(row["task"], row["title"], *sizes, row.get("fetch", ""))
    return table


def sizes_table(found: Mapping[str, int], known: PublicTask | None) -> Table:
    """Return the number of classes and of images in each split, with the expected ones.

    Args:
        found: the numbers by name.
        known: the public task; None leaves the expected numbers away.
    """
    table = Table("", Column("found", justify="right"), box=SIMPLE)
    if known is None:
        for what, count in found.items():
            table.add_row(what, f"{count:,}")
        return table
    table.add_column("expected" if known.group == "large" else "Table S1", justify="right")
    table.add_column("")
    for what, right in known.all_sizes().items():
        differs = "" if found[what] == right else "differs"
        table.add_row(what, f"{found[what]:,}", f"{right:,}", differs)
    return table
