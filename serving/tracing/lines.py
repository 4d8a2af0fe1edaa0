"""How a line of our own logs is written: as text, or as one JSON object.

A line says which request it is about, and never what that request holds.
"""

import json
import logging
from datetime import UTC, datetime
from typing import Final, Literal

from pydantic import ValidationError

from serving.tracing.origin import current

LogFormat = Literal["text", "json"]

_MORE: Final = ("task", "code")
"""What a line may be about besides: attributes of a record, given as its `extra`."""


class TextLines(logging.Formatter):
    """Level, logger and message, and the request's id at the end of the first line."""

    def __init__(self) -> None:
        super().__init__("%(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 (logging calls it so)
        """Return the line without a traceback."""
        text, request_id = super().formatMessage(record), current().request_id
        return f"{text} [request {request_id}]" if request_id else text


class JsonLines(logging.Formatter):
    """The same as an object with fixed names; a traceback is one of its fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line."""
        origin = current()
        fields = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "request_id": origin.request_id,
            "caller_id": origin.caller_id,
            "trace_id": origin.trace_id,
            **{name: getattr(record, name, None) for name in _MORE},
        }
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return json.dumps({name: value for name, value in fields.items() if value})


def told(error: ValueError) -> str:
    """Return what a message between processes is refused for, without what it holds."""
    if not isinstance(error, ValidationError):
        return str(error)
    faults = error.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in faults[:3])


def lines_of(log_format: LogFormat) -> logging.Formatter:
    """Return what writes lines of this format."""
    if log_format == "json":
        logging.captureWarnings(True)  # which would be text
        return JsonLines()
    return TextLines()
