"""Lines of our own logs: as text, and as one object a line; each says which request it is about."""

import json
import logging
from collections.abc import Callable, Iterator
from io import StringIO
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from serving.errors import to_wire
from serving.tracing.lines import JsonLines, LogFormat, TextLines, lines_of, told
from serving.tracing.origin import Origin, about

ORIGIN = Origin("id-1", "theirs", f"00-{'a' * 32}-{'b' * 16}-01")


@pytest.fixture
def written() -> Iterator[Callable[..., StringIO]]:
    """Yield what has the logger `serving` write lines of a format from now on."""
    handlers: list[logging.Handler] = []

    def write(lines: logging.Formatter) -> StringIO:
        text = StringIO()
        handler = logging.StreamHandler(text)
        handler.setFormatter(lines)
        handlers.append(handler)
        logging.getLogger("serving").addHandler(handler)
        return text

    yield write
    for handler in handlers:
        logging.getLogger("serving").removeHandler(handler)


def fault() -> Exception:
    try:
        raise RuntimeError("a fault\nof two lines")
    except RuntimeError as error:
        return error


def test_a_fault_is_one_object_with_the_request_the_task_and_the_code(
    written: Callable[..., StringIO],
) -> None:
    text = written(JsonLines())
    with about(ORIGIN):
        to_wire(fault(), "pets")
    (line,) = text.getvalue().splitlines()
    found: dict[str, Any] = json.loads(line)
    assert found.pop("time").endswith("+00:00")
    assert found.pop("exception").startswith("Traceback ")
    assert found == {
        "level": "ERROR",
        "logger": "serving.errors",
        "message": "task pets: a fault\nof two lines",
        "request_id": "id-1",
        "caller_id": "theirs",
        "trace_id": "a" * 32,
        "task": "pets",
        "code": "internal",
    }


def test_a_line_about_no_request_has_no_fields_of_one(written: Callable[..., StringIO]) -> None:
    text = written(JsonLines())
    logging.getLogger("serving.health").warning("port %d is taken", 1)
    assert json.loads(text.getvalue()).keys() == {"time", "level", "logger", "message"}


def test_text_has_the_id_in_the_line_that_a_traceback_follows(
    written: Callable[..., StringIO],
) -> None:
    text = written(TextLines())
    with about(ORIGIN):
        to_wire(RuntimeError("a fault"), "pets")
    logging.getLogger("serving.health").warning("about nobody")
    lines = text.getvalue().splitlines()
    assert lines[0] == "ERROR serving.errors: task pets: a fault [request id-1]"
    assert lines[-1] == "WARNING serving.health: about nobody"


@pytest.mark.parametrize(("log_format", "captured"), [("json", [True]), ("text", [])])
def test_warnings_of_python_are_lines_where_text_would_break_the_log(
    monkeypatch: pytest.MonkeyPatch, log_format: LogFormat, captured: list[bool]
) -> None:
    seen: list[bool] = []
    monkeypatch.setattr(logging, "captureWarnings", seen.append)
    lines_of(log_format)
    assert seen == captured


def test_a_message_that_is_refused_is_not_repeated() -> None:
    class Message(BaseModel):
        call: int

    with pytest.raises(ValidationError) as caught:
        Message.model_validate_json('{"call": "a secret"}')
    said = told(caught.value)
    assert said.startswith("call: ")
    assert "a secret" not in said
