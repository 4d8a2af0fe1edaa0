"""What a body of JSON would cost to parse, told from its bytes before anybody does."""

from typing import Final

from pydantic import ValidationError

from serving.errors import BadParameter

_MARKS: Final = (b"[", b"{", b",", b":")
_MOST_MARKS: Final = 4_000
"""More than 32 images with all parameters need; each becomes an object of some hundred bytes."""

_WIDE: Final = 4
"""Bytes of a character in memory, as soon as one of a text is beyond Latin."""

_SHOWN: Final = 80


def json_cost(text: bytes) -> int:
    """Return how many bytes the text's strings take, at most."""
    is_narrow = text.isascii() and b"\\u" not in text
    return len(text) * (1 if is_narrow else _WIDE)


def check_marks(text: bytes) -> None:
    """Check that a body of JSON has no more values than a call may.

    Raises:
        BadParameter: it would become millions of objects.
    """
    found = sum(text.count(mark) for mark in _MARKS)
    if found > _MOST_MARKS:
        raise BadParameter(
            f"the body's JSON has {found:,} brackets, commas and colons, the limit is "
            f"{_MOST_MARKS:,}; an image is one string, in base64"
        )


def mistake_of(error: ValidationError) -> str:
    """Return the first thing that is wrong with a body of JSON: where, and what."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"])[:_SHOWN]
    is_unknown = first["type"] == "extra_forbidden"
    what = "there is no such parameter, see docs/protocols.md" if is_unknown else first["msg"]
    return f"{place or 'the body'}: {what[: 2 * _SHOWN]}"
