"""What a person sees on the terminal: a bar while requests fly, and the outcome as tables."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Column, Table

from adapters.shown import shown
from clients.demo.plan import Plan
from clients.demo.records import Record
from clients.demo.summary import Served, Summary, Swap, TaskSummary
from trainer.page.words import count, milliseconds, percent, short, size

_WITHOUT_TERMINAL_EVERY: Final = 200
"""Where there is no terminal, one line is printed per this number of answers."""


@contextmanager
def traffic_bar(console: Console, planned: int, swapped: str) -> Iterator[Callable[[Record], None]]:
    """Show the traffic's progress; yields the watch to tell of every record.

    Args:
        console: where to.
        planned: how many requests at least.
        swapped: the task whose change of version is worth a line.
    """
    columns = (
        TextColumn("requests"),
        BarColumn(),
        TextColumn("{task.completed:.0f} answered, {task.fields[failed]} failed"),
        TimeElapsedColumn(),
    )
    seen: list[str | None] = []
    with Progress(*columns, console=console) as bar:
        row = bar.add_task("requests", total=planned, failed=0)

        def watch(record: Record) -> None:
            failed = bar.tasks[0].fields["failed"] + (record.outcome.error is not None)
            done = bar.tasks[0].completed + 1
            bar.update(row, advance=1, failed=failed, total=max(planned, done))
            if record.pick.task == swapped and record.version and record.version not in seen:
                seen.append(record.version)
                console.print(f"{swapped}: version {short(record.version)} answers")
            if not console.is_terminal and done % _WITHOUT_TERMINAL_EVERY == 0:
                console.print(f"{done:.0f} requests answered, {failed} failed")

        yield watch


_STYLE: Final[dict[str, Any]] = {"box": SIMPLE_HEAD, "pad_edge": False, "padding": (0, 0, 0, 1)}


def show(console: Console, summary: Summary, plan: Plan) -> None:
    """Print the tasks, the traffic, the swap, and where the files are."""
    console.rule("result")
    console.print(_tasks(summary.tasks))
    console.print(_served(summary.served))
    console.print(f"[bold]swap[/]  {_swap(summary.swap)}\n")
    for name in ("summary.json", "report.html"):
        console.print(shown(f"wrote {plan.out / name}"), markup=False, soft_wrap=True)


def _tasks(tasks: dict[str, TaskSummary]) -> Table:
    numbers = ("classes", "images\ntrain/test", "linear\nprobe", "SPT", "trained\nparameters")
    columns = [Column(name, justify="right", no_wrap=True) for name in numbers]
    last = (Column("of the\nbackbone", justify="right"), Column("artifact", justify="right"))
    table = Table(Column("task", no_wrap=True), *columns, *last, **_STYLE)
    for name, task in tasks.items():
        table.add_row(
            name,
            str(task.classes),
            f"{task.train_images}/{task.test_images}",
            percent(task.linear_probe_accuracy),
            percent(task.test_accuracy),
            count(task.trainable_parameters),
            percent(task.trainable_parameters / task.backbone_parameters),
            size(task.artifact_bytes),
        )
    return table


def _served(served: Served) -> Table:
    cells = {
        "requests": count(served.requests),
        "failed": str(served.failed),
        "mixed\nbatches": f"{served.mixed_batches} of {served.batches}",
        "most tasks\nin one": str(served.max_tasks_in_one_batch),
        "p50": milliseconds(served.p50_ms),
        "p99": milliseconds(served.p99_ms),
        "requests/s": f"{served.requests_per_s:.0f}",
        "as\noffline": percent(served.agreement_with_offline, 2),
    }
    table = Table(*(Column(name, justify="right") for name in cells), **_STYLE)
    table.add_row(*cells.values())
    return table


def _swap(swap: Swap) -> str:
    return (
        f"{swap.task}: {short(swap.old_version)} answered {swap.answered_by_old}, then "
        f"{short(swap.new_version)} {swap.answered_by_new}; {swap.failed_during_swap} failed; "
        f"{takeover(swap)}"
    )


def takeover(swap: Swap) -> str:
    """Return when the new version answered first, in words."""
    if swap.takeover_ms is None:
        return "the new version never answered"
    when = "after" if swap.takeover_ms >= 0 else "before"
    return f"first new answer {milliseconds(abs(swap.takeover_ms))} {when} the command returned"
