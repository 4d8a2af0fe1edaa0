"""What every front makes of an admitted request: queries for the engine, then one reply.

Knows statuses, headers and bodies, not how they travel.
"""

from collections.abc import Iterator, Sequence
from itertools import product
from typing import NamedTuple

from serving.door.admission import Admitted
from serving.errors import headers_of, to_wire
from serving.protocol import (
    BATCH_ID_HEADER,
    BATCH_ROWS_HEADER,
    BATCH_TASKS_HEADER,
    HTTP_STATUS,
    Answer,
    ErrorCode,
    Failure,
    ImagesAnswer,
    MultiAnswer,
)
from serving.rows.query import Outcome, Query

CONTENT_TYPE = "application/json"


class Reply(NamedTuple):
    """One answer over HTTP.

    Attributes:
        status: of HTTP.
        headers: that this status wants, without those of every reply.
        body: JSON.
    """

    status: int
    headers: dict[str, str]
    body: bytes


def queries_of(
    row: Admitted | Exception, images: Sequence[bytes], trace: str | None = None
) -> list[Query]:
    """Return what is asked of the engine: image by image, each task that the caller may ask now.

    Args:
        row: as it was admitted.
        images: of the call.
        trace: of whoever asks, see `Query`.
    """
    if isinstance(row, Exception):
        return []
    request = row.request
    asked = product(images, request.tasks)
    return [
        Query(image, task, request.top_k, request.version, request.extras, trace)
        for (image, task), refusal in zip(asked, row.refusals, strict=True)
        if refusal is None
    ]


def refusals_of(row: Admitted | Exception) -> list[Exception]:
    """Return why a call, or rows of it, are not asked of the engine."""
    if isinstance(row, Exception):
        return [row]
    return [refused for refused in row.refusals if refused is not None]


def reply_of(row: Admitted | Exception, outcomes: Iterator[Outcome]) -> Reply:
    """Return a request's reply.

    Args:
        row: as it was admitted, or why it was not.
        outcomes: of its queries; as many are taken as it has.
    """
    if isinstance(row, Exception):
        return refusal(row)
    request = row.request
    asked = product(request.faults, request.tasks)
    entries = [
        _entry(next(outcomes) if refused is None else refused, task)
        for (_, task), refused in zip(asked, row.refusals, strict=True)
    ]
    num_tasks = len(request.tasks)
    results = [_result(entries[i : i + num_tasks]) for i in range(0, len(entries), num_tasks)]
    good = (entry for entry in entries if isinstance(entry, Answer))
    body = ImagesAnswer(results=tuple(results)) if request.is_list else results[0]
    return _reply(next(good, entries[0]), body)


def refusal(error: Exception, task: str | None = None) -> Reply:
    """Return the reply to a call that met an error, as a rule before it was about any task."""
    failure = _entry(error, task)
    return _reply(failure, failure)


def batch_headers(batch_id: str, queries: Sequence[Query]) -> dict[str, str]:
    """Return what every reply says of the queries that went to the engine together."""
    return {
        BATCH_ID_HEADER: batch_id,
        BATCH_ROWS_HEADER: str(len(queries)),
        BATCH_TASKS_HEADER: str(len({query.task for query in queries})),
    }


def _entry(outcome: Outcome, task: str | None) -> Answer | Failure:
    return outcome if isinstance(outcome, Answer) else Failure(error=to_wire(outcome, task))


def _result(entries: Sequence[Answer | Failure]) -> Answer | Failure | MultiAnswer:
    """Return what one image's entries are in a body."""
    return entries[0] if len(entries) == 1 else MultiAnswer(answers=tuple(entries))


def _reply(
    decisive: Answer | Failure, body: Answer | Failure | MultiAnswer | ImagesAnswer
) -> Reply:
    """Return a body with the status and the headers of the entry that decides them."""
    text = body.model_dump_json().encode()
    if isinstance(decisive, Answer):
        return Reply(200, {}, text)
    return Reply(HTTP_STATUS[ErrorCode(decisive.error.code)], headers_of(decisive.error), text)
