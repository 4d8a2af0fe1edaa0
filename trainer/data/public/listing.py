"""What people see of tasks and their data: the table of all, and the findings on one."""

from collections.abc import Iterable, Mapping
from itertools import groupby

from rich.box import SIMPLE
from rich.table import Column, Table

from trainer.data.public.task import PublicTask
from trainer.data.task_data import TaskData


def list_tasks(builtin: Iterable[str], public: Mapping[str, PublicTask]) -> Table:
    """Return the table of all tasks, by group: name, what it is, sizes and how it is had.

    Args:
        builtin: names of the tasks that come with the package.
        public: the public tasks by name, those of a group together.
    """
    table = Table(
        Column("task", no_wrap=True),
        "what it is",
        *(Column(name, justify="right") for name in ("classes", "train", "val", "test")),
        Column("fetch", no_wrap=True),
        box=SIMPLE,
        padding=(0, 1, 0, 0),
    )
    table.add_row("[bold]built-in")
    for name in builtin:
        table.add_row(name, "needs no download")
    for group, tasks in groupby(public.items(), key=lambda entry: entry[1].group):
        table.add_section()
        table.add_row(f"[bold]{group}")
        for name, task in tasks:
            sizes = (f"{size:,}" for size in (task.num_classes, *task.sizes))
            table.add_row(name, task.title, *sizes, "command" if task.archives else "by hand")
    return table


def compare_sizes(data: TaskData, known: PublicTask | None) -> Table:
    """Return the number of classes and of images in each split beside the expected ones.

    Args:
        data: what was found.
        known: the public task; None leaves the expected numbers away.
    """
    found = {"classes": len(data.task.class_names)}
    found |= {split: len(samples) for split, samples in data.splits().items()}
    table = Table("", Column("found", justify="right"), box=SIMPLE)
    if known is None:
        for what, count in found.items():
            table.add_row(what, f"{count:,}")
        return table
    table.add_column("expected" if known.group == "large" else "Table S1", justify="right")
    table.add_column("")
    expected = (known.num_classes, *known.sizes)
    for (what, count), right in zip(found.items(), expected, strict=True):
        table.add_row(what, f"{count:,}", f"{right:,}", "" if count == right else "differs")
    return table
