"""The numbers that the paper prints, as it prints them: `paper/*.toml`.

A number is known by backbone, row and column, so that it can only stand next to what was measured
on the same backbone and task. `augreg_in21k` is the supervised checkpoint that the official code
loads; the paper names none.
"""

import tomllib
from dataclasses import dataclass, field
from importlib import resources


@dataclass(frozen=True)
class Published:
    """One table of the paper.

    Attributes:
        source: how the paper calls it.
        columns: task ids, names of groups of tasks, `params:` and a group, or shares of data.
        values: the printed text by backbone, row and column; what is not printed is absent.
    """

    source: str = ""
    columns: tuple[str, ...] = ()
    values: dict[str, dict[str, dict[str, str]]] = field(default_factory=dict)

    def text(self, backbone: str, row: str, column: str) -> str | None:
        """Return what is printed there, or None."""
        return self.values.get(backbone, {}).get(row, {}).get(column)


def published(name: str) -> Published:
    """Return a table by the name that the command line takes; an empty one if there is none."""
    file = resources.files("trainer") / "reproduce" / "paper" / f"{name}.toml"
    if not file.is_file():
        return Published()
    document = tomllib.loads(file.read_text(encoding="utf-8"))
    source, columns = document.pop("source"), tuple(document.pop("columns").split())
    values = {
        backbone: {row: _row(columns, text) for row, text in rows.items()}
        for backbone, rows in document.items()
    }
    return Published(source, columns, values)


def _row(columns: tuple[str, ...], text: str) -> dict[str, str]:
    printed = zip(columns, text.split(), strict=True)
    return {column: value for column, value in printed if value != "-"}
