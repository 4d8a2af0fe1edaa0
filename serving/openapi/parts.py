"""What the modules of routes have in common: schemas by their names, parameters, replies."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from pydantic import BaseModel

from serving.errors import CODES
from serving.protocol import (
    BATCH_ID_HEADER,
    BATCH_ROWS_HEADER,
    BATCH_TASKS_HEADER,
    DEFAULT_TOP_K,
    HTTP_STATUS,
    MAX_TOP_K,
    REQUEST_ID_HEADER,
    RETRY_HEADER,
    ErrorCode,
    Failure,
)

Json = dict[str, Any]
"""A part of the document."""

EXAMPLE_TASK: Final = "digits"
EXAMPLE_VERSION: Final = "3d0578773e5ca199130a712fa70e1de67aa3cb38ef55810085ad74b522ac135a"

BINARY: Final[Json] = {"type": "string", "format": "binary"}
FIRST_DIGITS: Final[Json] = {"type": "string", "pattern": "^[0-9a-f]{6,64}$"}
"""Of a version."""

TOP_K: Final[Json] = {
    "type": "integer",
    "minimum": 1,
    "maximum": MAX_TOP_K,
    "default": DEFAULT_TOP_K,
}
BATCH_HEADERS: Final = (BATCH_ID_HEADER, BATCH_ROWS_HEADER, BATCH_TASKS_HEADER)
"""Of replies about images."""

SECURITY: Final[list[Json]] = [{}, {"token": []}, {"key": []}, {"token": [], "key": []}]
"""Of routes that want what the service was started with: nothing, its token, a tenant's key."""


class Routes(NamedTuple):
    """Some routes of the document.

    Attributes:
        paths: what the document says of each path.
        models: of the wire that it refers to.
    """

    paths: Mapping[str, Json]
    models: Sequence[type[BaseModel]] = ()


def schema_of(*models: type[BaseModel]) -> Json:
    """Return the schema of a body that is one of these."""
    found = [{"$ref": f"#/components/schemas/{model.__name__}"} for model in models]
    return found[0] if len(found) == 1 else {"anyOf": found}


def parameter(name: str, schema: Json, description: str, *, place: str = "query") -> Json:
    """Return an optional parameter."""
    return {"name": name, "in": place, "description": description, "schema": schema}


def reply(
    description: str, schema: Json, examples: Mapping[str, Any], headers: Iterable[str] = ()
) -> Json:
    """Return a reply in JSON.

    Args:
        description: when it comes.
        schema: of its body.
        examples: of bodies, by name.
        headers: that it has besides the request's id.
    """
    content = {"schema": schema, "examples": {key: {"value": examples[key]} for key in examples}}
    return {
        "description": description,
        "headers": {
            name: {"$ref": f"#/components/headers/{name}"} for name in (REQUEST_ID_HEADER, *headers)
        },
        "content": {"application/json": content},
    }


def refusals(
    codes: Iterable[ErrorCode],
    *,
    models: Sequence[type[BaseModel]] = (Failure,),
    headers: Sequence[str] = (),
    example: Callable[[ErrorCode], Json] | None = None,
) -> dict[str, Json]:
    """Return the replies by status that calls have which failed for one of these reasons.

    Args:
        codes: the reasons.
        models: of the body.
        headers: that each has.
        example: makes a body of a code; `failure`, if it is left out.
    """
    shown = example or failure
    by_status: dict[int, list[ErrorCode]] = {}
    for code in codes:
        by_status.setdefault(HTTP_STATUS[code], []).append(code)
    return {
        str(status): reply(
            "; or: ".join(f"`{code}`: {cause_of(code)}" for code in found),
            schema_of(*models),
            {code.value: shown(code) for code in found},
            (*headers, *_MORE_HEADERS.get(status, ())),
        )
        for status, found in sorted(by_status.items())
    }


def cause_of(code: ErrorCode) -> str:
    """Return when a code is answered, by the errors that have it."""
    if code == ErrorCode.INTERNAL:
        return "Anything else; the log says why"
    told = [(error.__doc__ or "").splitlines()[0] for error, of in CODES.items() if of == code]
    return "; or: ".join(line.rstrip(".") for line in told)


def failure(code: ErrorCode) -> Json:
    """Return an example of a body that has this code."""
    error = {"code": code.value, "message": cause_of(code), "task": EXAMPLE_TASK}
    wait_s = 1.0 if HTTP_STATUS[code] in _WAITING else None
    return {"error": error | {"retry_after_s": wait_s}}


_WAITING: Final = (429, 503)
_MORE_HEADERS: Final[Mapping[int, tuple[str, ...]]] = {
    401: ("WWW-Authenticate",),
    405: ("Allow",),
    **dict.fromkeys(_WAITING, (RETRY_HEADER,)),
}
