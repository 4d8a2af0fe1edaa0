"""How numbers are written, on the terminal and in the report alike."""

_THOUSAND = 1000


def percent(share: float, digits: int = 1) -> str:
    """Return a share of 1 as a percentage."""
    return f"{share * 100:.{digits}f}%"


def count(number: int) -> str:
    """Return a whole number in groups of three."""
    return f"{number:,}"


def size(num_bytes: float) -> str:
    """Return a size in the largest unit that keeps it at least 1, in steps of 1000."""
    for unit in ("B", "kB", "MB"):
        if num_bytes < _THOUSAND:
            return f"{num_bytes:.3g} {unit}"
        num_bytes /= _THOUSAND
    return f"{num_bytes:.3g} GB"


def milliseconds(value: float | None) -> str:
    """Return a duration in milliseconds, a dash where nothing was measured."""
    return "-" if value is None else f"{value:,.0f}\N{NO-BREAK SPACE}ms"


def duration(seconds: float) -> str:
    """Return a duration in minutes and seconds."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def short(version: str) -> str:
    """Return the part of a version that people read."""
    return version[:12]
