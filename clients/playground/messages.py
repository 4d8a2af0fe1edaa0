"""What the page asks and what it is told, as plain values. Knows no sockets and no service."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

JSON: Final = "application/json"


@dataclass(frozen=True)
class Request:
    """What a browser sends.

    Attributes:
        method: GET or POST.
        path: without the query.
        query: each parameter once.
        headers: by name, in small letters.
        body: of a POST.
    """

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class Reply:
    """What it gets."""

    status: int
    body: bytes
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)


class Refused(Exception):
    """What is asked is not done, and why.

    Args:
        status: of HTTP, which says the same.
        code: for programs, as the service's refusals have it.
        message: for people.
        more: what else is known, such as the task.
    """

    def __init__(self, status: int, code: str, message: str, **more: Any) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"status": status, "error": {"code": code, "message": message, **more}}


def json_reply(value: Any, status: int = 200) -> Reply:
    """Return a value as the body of a reply."""
    return Reply(status, json.dumps(value).encode())


def only(query: Mapping[str, str], known: frozenset[str]) -> dict[str, str]:
    """Return the parameters of a query.

    Raises:
        Refused: one of them is not known.
    """
    unknown = sorted(query.keys() - known)
    if unknown:
        expected = ", ".join(sorted(known)) or "none"
        raise Refused(
            400, "bad_parameter", f"unknown parameter {unknown[0][:80]!r}: expected {expected}"
        )
    return dict(query)
