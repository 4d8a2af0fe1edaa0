"""Groups of classes, from a CSV with the columns `class` and `group`."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from adapters.shown import shown
from trainer.data.names import one_form
from trainer.errors import DataError

_COLUMNS: Final = ("class", "group")


def read_groups(path: Path, class_names: Sequence[str]) -> tuple[str, ...]:
    """Return the group of each class, in label order.

    Raises:
        DataError: the file cannot be read, or does not name each class once, with a group.
    """
    group_of: dict[str, str] = {}
    for line, name, group in _lines(path):
        if name not in class_names:
            raise _fault(path, line, f"'{shown(name)}' is no class of the task")
        if name in group_of:
            raise _fault(path, line, f"'{shown(name)}' has a line already")
        if not group:
            raise _fault(path, line, f"'{shown(name)}' has no group")
        group_of[name] = group
    without = [name for name in class_names if name not in group_of]
    if without:
        raise DataError(
            f"{path}: {len(without)} of {len(class_names)} classes have no line, such as "
            f"'{shown(without[0])}'; give each class a group"
        )
    return tuple(group_of[name] for name in class_names)


def _lines(path: Path) -> Iterator[tuple[int, str, str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = csv.DictReader(file, strict=True)
            if not {*_COLUMNS} <= set(lines.fieldnames or ()):
                raise DataError(f"{path}: expected the columns class and group in its first line")
            for row in lines:
                name, group = (one_form((row[column] or "").strip()) for column in _COLUMNS)
                yield lines.line_num, name, group
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}; see data.class_groups") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise DataError(f"{path} is no CSV in UTF-8 ({error}); write it again") from error


def _fault(path: Path, line: int, what: str) -> DataError:
    return DataError(f"{path}:{line}: {what}; correct it")
