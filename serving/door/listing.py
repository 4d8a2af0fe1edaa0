"""`list=tasks` into a checked listing, and its reply: the same for every front."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from adapters.artifact.task import check_task_id
from serving.door.admission import Admission, forbidden
from serving.door.images import IMAGE_FIELDS
from serving.door.replies import Reply, refusal
from serving.door.request import BOOLEANS, ROUTE_KEYS, chosen, text_of
from serving.errors import BadParameter
from serving.protocol import (
    AFTER_PARAMETER,
    CARD_PARAMETER,
    DEFAULT_LIST_LIMIT,
    LIMIT_PARAMETER,
    LIST_PARAMETER,
    LIST_TASKS,
    MAX_LIST_LIMIT,
    SAMPLES_PARAMETER,
    TASK_PARAMETER,
    TaskPage,
)
from serving.rows.listing import Listing

_PARAMETERS: Final = (
    *(LIST_PARAMETER, TASK_PARAMETER, SAMPLES_PARAMETER, CARD_PARAMETER),
    *(AFTER_PARAMETER, LIMIT_PARAMETER),
)
_KNOWN: Final = {*_PARAMETERS, *IMAGE_FIELDS, *ROUTE_KEYS}
_NUMBER: Final = re.compile(r"[0-9]{1,9}")


def is_listing(row: Mapping[str, Any]) -> bool:
    """Return whether a request is for a list, and not for an answer about an image."""
    return LIST_PARAMETER in row


def listing_reply(
    row: Mapping[str, Any],
    key: str | None,
    admission: Admission,
    list_tasks: Callable[[Listing], TaskPage],
) -> Reply:
    """Return the reply to a request for a list; may take as long as the store does.

    Args:
        row: its parameters.
        key: that its caller shows, None if there is none.
        admission: says which tasks the caller may know of; a list counts as one row.
        list_tasks: the engine's.
    """
    try:
        page = listed(row, key, admission, list_tasks)
        return Reply(200, {}, page.model_dump_json().encode())
    except Exception as error:  # belongs to this call alone
        return refusal(error, _named(row))


def listed(
    row: Mapping[str, Any],
    key: str | None,
    admission: Admission,
    list_tasks: Callable[[Listing], TaskPage],
) -> TaskPage:
    """Return what `listing_reply` replies with; takes the same.

    Raises:
        BadKey, RateLimited, Forbidden, BadParameter: see `Admission.visit` and `parse_listing`.
        SptError: the engine's.
    """
    visitor = admission.visit(key)
    listing = parse_listing(row)
    refused = None if listing.task is None else forbidden(visitor, listing.task)
    if refused is not None:
        raise refused
    if visitor is not None:
        listing = replace(listing, patterns=visitor.tasks)
    return list_tasks(listing)


def parse_listing(row: Mapping[str, Any]) -> Listing:
    """Check what a caller may say of a list.

    Args:
        row: query parameters, as `parse_request` takes them.

    Raises:
        BadParameter: unknown or out of range, or said twice; names the parameter.
    """
    unknown = sorted(row.keys() - _KNOWN)
    if unknown:
        raise BadParameter(
            f"unknown parameter {unknown[0][:80]!r}: expected one of {', '.join(_PARAMETERS)}"
        )
    what = text_of(row, LIST_PARAMETER)
    if what != LIST_TASKS:
        raise BadParameter(f"{LIST_PARAMETER}: expected {LIST_TASKS}, found {str(what)[:80]!r}")
    task, after = text_of(row, TASK_PARAMETER), text_of(row, AFTER_PARAMETER)
    limit = text_of(row, LIMIT_PARAMETER)
    if task is not None and (after is not None or limit is not None):
        raise BadParameter(f"expected {TASK_PARAMETER}, or {AFTER_PARAMETER} and {LIMIT_PARAMETER}")
    samples, card = (chosen(row, name, BOOLEANS) for name in (SAMPLES_PARAMETER, CARD_PARAMETER))
    if task is None and (samples or card):
        raise BadParameter(
            f"{SAMPLES_PARAMETER} and {CARD_PARAMETER} are told of one task alone; name it as "
            f"{TASK_PARAMETER}"
        )
    return Listing(_task(task), _task(after) or "", _limit(limit), samples=samples, card=card)


def _task(text: str | None) -> str | None:
    try:
        return None if text is None else check_task_id(text)
    except ValueError as error:
        raise BadParameter(str(error)) from error


def _limit(text: str | None) -> int:
    if text is None:
        return DEFAULT_LIST_LIMIT
    if _NUMBER.fullmatch(text) and 1 <= int(text) <= MAX_LIST_LIMIT:
        return int(text)
    raise BadParameter(
        f"{LIMIT_PARAMETER}: expected a number from 1 to {MAX_LIST_LIMIT}, found {text[:80]!r}"
    )


def _named(row: Mapping[str, Any]) -> str | None:
    """Return the task that a failure is about, None where there is none or it is no task id."""
    try:
        return _task(text_of(row, TASK_PARAMETER))
    except BadParameter:
        return None
