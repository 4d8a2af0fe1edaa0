"""What a command prints reaches its reader, or the command says that it did not."""

import io
import os
import select
import sys
from typing import Final, Literal

from adapters.shown import shown

Stream = Literal["stdout", "stderr"]

_STDOUT: Final = 1


class OutputRefused(Exception):
    """A standard stream takes no more; no OSError, for it is about none of a command's files."""

    def __init__(self, reason: OSError) -> None:
        super().__init__(str(reason))
        self.reason = reason


def prepare() -> None:
    r"""Make standard output and error fit to print to, from now on.

    `\u732b` is printed for a character that their encoding lacks: else a class name, or a mere `…`,
    would end the command in a container without a locale, or redirected on Windows. JSON must be
    ASCII of itself. A stream that was closed before we began takes all and shows nothing.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123 (for good)
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if isinstance(getattr(sys.stdout, "buffer", None), io.RawIOBase):
        # unbuffered: what is refused would be forgotten, and `refusal` not know of it
        raw = io.FileIO(sys.stdout.fileno(), "w", closefd=False)
        sys.stdout = io.TextIOWrapper(
            io.BufferedWriter(raw),
            encoding=sys.stdout.encoding,
            errors="backslashreplace",
            line_buffering=True,
        )


def say(line: str, stream: Stream = "stdout") -> None:
    """Print one line at once, never wrapped; what cannot be seen is spelled out.

    Args:
        line: what is said.
        stream: where.

    Raises:
        OutputRefused: the reader has gone, or the disk is full.
    """
    try:
        print(shown(line), file=getattr(sys, stream), flush=True)
    except OSError as error:
        raise OutputRefused(error) from error


def refusal() -> OSError | None:
    """Write what standard output still holds; return why it cannot be, None if it is written."""
    try:
        sys.stdout.flush()
    except OSError as error:
        return error
    return None


def reader_has_gone() -> bool:
    """Return whether nobody reads standard output."""
    pipe = select.poll()
    pipe.register(_STDOUT, 0)  # an error is reported unasked
    return bool(pipe.poll(0))


def drop_output() -> None:
    """Let what standard output still holds go nowhere: Python would try once more at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), _STDOUT)
