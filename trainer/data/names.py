"""Class names as people can tell them apart: one Unicode form, nothing hidden, no near doubles.

Knows neither folders nor labels.
"""

import unicodedata
from collections.abc import Sequence
from typing import Final

from adapters.shown import is_hidden, shown
from trainer.errors import DataError

SEPARATOR: Final = "|"
"""Between the names of a label that has several, unless the recipe says another one."""


def one_form(name: str) -> str:
    """Return the name in Unicode's composed form (NFC): macOS writes another than Linux."""
    return unicodedata.normalize("NFC", name)


def check_visible(task: str, names: Sequence[str]) -> None:
    """Refuse names with control characters, bytes that are no UTF-8, or marks that nobody sees.

    Raises:
        DataError: the first of them, spelled out.
    """
    hidden = [name for name in names if any(map(is_hidden, name)) or not name.strip()]
    if hidden:
        raise DataError(
            f"{task}: the class name '{shown(hidden[0])}' holds characters that cannot be seen "
            f"(control characters, or bytes that are no UTF-8), {len(hidden)} of {len(names)} do; "
            "rename the folder or correct the list"
        )


def check_distinct(where: str, names: Sequence[str]) -> None:
    """Refuse names that differ only in case or spaces; single letters may differ in case.

    Args:
        where: the folder or list they are from, for the message.
        names: without repetitions.

    Raises:
        DataError: naming the first two.
    """
    seen: dict[str, str] = {}
    for name in names:
        other = seen.setdefault(_look(name), name)
        if other != name:
            raise DataError(
                f"{where}: the classes '{shown(other)}' and '{shown(name)}' differ only in upper "
                "and lower case or in spaces; give both the same name if they are one class, or "
                "clearer names if they are two"
            )


def _look(name: str) -> str:
    """Return what a hasty reader sees; `A` and `a` may well be two classes of handwriting."""
    return name if len(name) == 1 else " ".join(name.casefold().split())
