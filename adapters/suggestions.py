"""Names that a person may have meant."""

import argparse
from collections.abc import Callable, Collection


def one_of(names: Collection[str], what: str) -> Callable[[str], str]:
    """Return the type of an argument that is one of `names`, for `add_argument`.

    Args:
        names: all that are taken.
        what: one of them is, for the message.
    """

    def check(text: str) -> str:
        if text in names:
            return text
        hint = did_you_mean(text, names) or f"; expected one of {', '.join(names)}"
        raise argparse.ArgumentTypeError(f"there is no {what} {text!r}{hint}")

    return check


def did_you_mean(name: str, known: Collection[str]) -> str:
    """Return `; did you mean 'pets'?` with one or two names that are alike, else nothing."""
    from difflib import get_close_matches  # noqa: PLC0415 (only for mistakes)

    alike = get_close_matches(name, known, n=2)
    return f"; did you mean {' or '.join(map(repr, alike))}?" if alike else ""
