"""How answers are printed: tables for people, JSON and CSV for programs."""

import csv
import json
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from adapters.shown import shown

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

    from clients.asking.batch import BatchItem, BatchResult
    from serving.protocol import Answer

COLUMNS: Final = (
    *("image", "task", "rank", "label", "score", "index"),
    *("value", "unknown", "version", "error"),
)


def answer_table(answer: "Answer") -> "Table | Text":
    """Return a table of the classes of one answer, best first; a line where it has none."""
    from rich.table import Table
    from rich.text import Text

    title = Text(f"{shown(answer.task)} @ {answer.version[:12]}{_said(answer)}")
    if not answer.predictions:
        return title
    table = Table(title=title)
    table.add_column("label", overflow="fold")
    table.add_column("score", justify="right", no_wrap=True)
    table.add_column("index", justify="right", no_wrap=True)
    for row in answer.predictions:
        table.add_row(Text(shown(row.label)), f"{row.score:.1%}", str(row.index))
    table.add_section()
    for group in answer.groups or ():
        table.add_row(Text(shown(group.group)), f"{group.score:.1%}", "group")
    return table


def _said(answer: "Answer") -> str:
    """Return what an answer says beside scores."""
    if answer.value is not None:
        return f": {answer.value:.6g}"
    if answer.labels is not None:
        return f": {', '.join(map(shown, answer.labels)) or 'none of its classes'}"
    return ": unknown, like none of its classes" if answer.unknown else ""


def batch_table(result: "BatchResult") -> "Table":
    """Return a table with a row for each image, and the best class of each task."""
    from rich.box import SIMPLE
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE)
    table.add_column("image", overflow="fold")
    for task in result[0].outcomes if result else ():
        table.add_column(Text(shown(task)))
    for item in result:
        table.add_row(Text(shown(item.image)), *map(_best, item.outcomes.values()))
    return table


def _best(outcome: "Answer | Exception") -> "Text":
    from rich.text import Text

    if isinstance(outcome, Exception):
        return Text(type(outcome).__name__, style="red")
    if not outcome.predictions:
        return Text(outcome.summary)
    unknown = "unknown: " if outcome.unknown else ""
    best = outcome.top
    return Text.assemble(f"{unknown}{shown(best.label)} ", (f"{best.score:.1%}", "dim"))


def as_json(item: "BatchItem") -> dict[str, Any]:
    """Return an image and what each task said or why it did not, as JSON has it."""
    return {
        "image": item.image,
        "answers": [
            {"error": {"task": task, "message": str(one), "code": getattr(one, "code", None)}}
            if isinstance(one, Exception)
            else one.model_dump(mode="json")
            for task, one in item.outcomes.items()
        ],
    }


def print_line(item: "BatchItem") -> None:
    """Print one line of JSON."""
    print(json.dumps(as_json(item)), flush=True)


def csv_printer() -> "Callable[[BatchItem], None]":
    """Print the names of the columns; return what prints the lines of an item."""
    writer = csv.DictWriter(sys.stdout, COLUMNS, lineterminator="\n")
    writer.writeheader()
    cell = shown if sys.stdout.isatty() else str

    def print_rows(item: "BatchItem") -> None:
        for row in item.rows():
            texts = {name: cell(one) if isinstance(one, str) else one for name, one in row.items()}
            writer.writerow(texts)

    return print_rows
