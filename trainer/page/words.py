"""How numbers are written, in pages, in pictures and on the terminal. Needs nothing heavy."""

import json
from collections.abc import Iterator
from statistics import median
from typing import Any, Final

from trainer.page.scale import Number

_THOUSAND: Final = 1000
_MAX_LISTED: Final = 8


def percent(share: Number, digits: int = 1) -> str:
    """Return a share of 1 as a percentage."""
    return f"{share * 100:.{digits}f}%"


def level(share: Number) -> str:
    """Return a share of 1 as a percentage, as exact as the ticks of an axis need it."""
    return f"{share * 100:.4g}%"


def brief(number: Number) -> str:
    """Return a number in three significant digits."""
    return f"{number:.3g}"


def signed(number: Number, digits: int = 1) -> str:
    """Return a difference with its sign; nothing has none."""
    text = f"{number:+.{digits}f}".replace("-", "\N{MINUS SIGN}")
    return text[1:] if not float(f"{number:.{digits}f}") else text


def count(number: int) -> str:
    """Return a whole number in groups of three."""
    return f"{number:,}"


def size(num_bytes: Number) -> str:
    """Return a size in the largest unit that keeps it at least 1, in steps of 1000."""
    for unit in ("B", "kB", "MB"):
        if num_bytes < _THOUSAND:
            return f"{num_bytes:.3g} {unit}"
        num_bytes /= _THOUSAND
    return f"{num_bytes:.3g} GB"


def milliseconds(value: Number | None) -> str:
    """Return a duration in milliseconds, a dash where nothing was measured."""
    return "-" if value is None else f"{value:,.0f}\N{NO-BREAK SPACE}ms"


def duration(seconds: Number) -> str:
    """Return a duration in its two largest units, short ones in tenths of a second."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if minutes else f"{rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def short(version: str) -> str:
    """Return the part of a version that people read."""
    return version[:12]


def shorten(name: str, most: int) -> str:
    """Return a name of at most `most` characters, the last an ellipsis where some are left out."""
    return name if len(name) <= most else f"{name[: most - 1]}…"


def recorded(value: Any) -> str:
    """Return one value of a JSON document as text; of many numbers, their range."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return count(value)
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list) and len(numbers := list(_numbers_in(value))) > _MAX_LISTED:
        return (
            f"{count(len(numbers))} numbers from {recorded(min(numbers))} to "
            f"{recorded(max(numbers))}, median {recorded(median(numbers))}"
        )
    return value if isinstance(value, str) else json.dumps(value)


def _numbers_in(tree: list[Any]) -> Iterator[Number]:
    for value in tree:
        if isinstance(value, list):
            yield from _numbers_in(value)
        elif isinstance(value, int | float):
            yield value
