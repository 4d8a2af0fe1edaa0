"""What a command prints reaches its reader, whatever the reader's encoding can show."""

import io
import sys


def spell_out_what_cannot_be_shown() -> None:
    r"""Print `\u732b` for a character that standard output or error has no code for, from now on.

    Else a class name, or a mere `…`, would end the command wherever output is in ASCII or Latin-1:
    in a container without a locale, or redirected on Windows. JSON must be ASCII of itself.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
