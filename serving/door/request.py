"""Parameters into a checked request. Knows the wire's rules, not who serves them."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from adapters.artifact.task import check_task_id
from serving.door.images import IMAGE_FIELDS
from serving.errors import BadParameter
from serving.protocol import (
    ATTENTION_PARAMETER,
    DEFAULT_TOP_K,
    EMBED_PARAMETER,
    ENCODING_PARAMETER,
    LOGITS_PARAMETER,
    MAX_ATTENTION_BYTES,
    MAX_LOGITS_BYTES,
    MAX_TASKS_PER_CALL,
    MAX_TOP_K,
    TASK_PARAMETER,
    TASK_SEPARATOR,
    TOP_K_PARAMETER,
    VERSION_PARAMETER,
    Encoding,
)
from serving.rows.query import LABELS_ALONE, Extras

ROUTE_KEYS = ("model_name",)
"""Which some of TorchServe's routes add."""

_PARAMETERS = (
    *(TASK_PARAMETER, TOP_K_PARAMETER, VERSION_PARAMETER),
    *(EMBED_PARAMETER, LOGITS_PARAMETER, ATTENTION_PARAMETER, ENCODING_PARAMETER),
)
_KNOWN = {*_PARAMETERS, *IMAGE_FIELDS, *ROUTE_KEYS}
BOOLEANS = {"false": False, "true": True}
_ENCODINGS: Mapping[str, Encoding] = {"base64": "base64", "list": "list"}
_NUMBER = re.compile(r"[0-9]{1,9}")
_VERSION = re.compile(r"[0-9a-f]{6,64}")

_Choice = TypeVar("_Choice")


def read_header(read: Callable[[str], Any], name: str) -> str | None:
    """Return a header's value, in the spellings that libraries and proxies make of its name.

    Args:
        read: looks a header up by one spelling, as TorchServe does. What it finds may be no text:
            a parameter of that name, which TorchServe keeps among the headers.
        name: such as X-Api-Key.

    Returns:
        None if it is not there, or there twice with different values.
    """
    found = {read(spelling) for spelling in _spellings(name) if isinstance(read(spelling), str)}
    return found.pop() if len(found) == 1 else None


def _spellings(name: str) -> set[str]:
    """Return X-Api-Key, X-API-Key, X-Api-KEY, x-api-key and X-API-KEY."""
    first, *others = name.split("-")
    middle, last = others[:-1], others[-1:]
    shouted = "-".join([first, *(word.upper() for word in middle), *last])
    ended = "-".join([first, *middle, *(word.upper() for word in last)])
    return {name, shouted, ended, name.title(), name.lower(), name.upper()}


@dataclass(frozen=True)
class Request:
    """What one caller asks about an image, or a list of them: one task or several.

    Attributes:
        tasks: the same of every image.
        top_k: how many labels are answered, at most.
        version: hex digits of the one task's version; None is the current one.
        extras: what is answered beside labels.
        faults: for each image why it is none, as far as a look at it tells; None where it may be.
        is_list: whether the images came as a list, and are answered by one.
    """

    tasks: tuple[str, ...]
    top_k: int
    version: str | None
    extras: Extras = LABELS_ALONE
    faults: tuple[Exception | None, ...] = (None,)
    is_list: bool = False


def parse_request(row: Mapping[str, Any], task_header: str | None) -> Request:
    """Check everything but the image that a caller can get wrong, before any work is done.

    Args:
        row: query parameters or form fields, with the body among them or without; a tuple where
            one was given more than once.
        task_header: tasks named in the header, for routes that lose the query.

    Raises:
        BadParameter: missing, unknown or out of range, or said twice; names the parameter.
    """
    unknown = sorted(row.keys() - _KNOWN)
    if unknown:
        raise BadParameter(
            f"unknown parameter {unknown[0][:80]!r}: expected one of {', '.join(_PARAMETERS)}"
        )
    tasks = _tasks(text_of(row, TASK_PARAMETER), task_header)
    return Request(tasks, _top_k(row), _version(row, tasks), _extras(row, len(tasks)))


def text_of(row: Mapping[str, Any], key: str) -> str | None:
    """Return a parameter as text, None where it is not there.

    Raises:
        BadParameter: it is said twice.
    """
    value = row.get(key)
    if isinstance(value, tuple):
        raise BadParameter(f"{key}: given {len(value)} times; give it once")
    if isinstance(value, bytes | bytearray):
        return value.decode(errors="replace")
    return value if value is None or isinstance(value, str) else str(value)


def _tasks(text: str | None, header: str | None) -> tuple[str, ...]:
    if text and header and text != header:
        raise BadParameter(
            f"task: the query names {text[:80]!r} and the header {header[:80]!r}; name it once"
        )
    text = text or header
    if not text:
        raise BadParameter(
            "no task named: expected POST /spt/predict?task=<task>, or the header X-Task"
        )
    tasks = tuple(text.split(TASK_SEPARATOR))
    if len(tasks) > MAX_TASKS_PER_CALL:
        raise BadParameter(
            f"task: {len(tasks)} tasks in one call, the limit is {MAX_TASKS_PER_CALL}; split it"
        )
    try:
        tasks = tuple(check_task_id(task) for task in tasks)
    except ValueError as error:
        raise BadParameter(str(error)) from error
    if len(set(tasks)) < len(tasks):
        twice = next(task for task in tasks if tasks.count(task) > 1)
        raise BadParameter(f"task: {twice} is asked more than once; ask each task once")
    return tasks


def _top_k(row: Mapping[str, Any]) -> int:
    text = text_of(row, TOP_K_PARAMETER)
    if text is None:
        return DEFAULT_TOP_K
    if _NUMBER.fullmatch(text) and 1 <= int(text) <= MAX_TOP_K:
        return int(text)
    raise BadParameter(f"top_k: expected a number from 1 to {MAX_TOP_K}, found {text[:80]!r}")


def _version(row: Mapping[str, Any], tasks: tuple[str, ...]) -> str | None:
    text = text_of(row, VERSION_PARAMETER)
    if text is None:
        return None
    if len(tasks) > 1:
        raise BadParameter("version: names one task's version, but several tasks are asked")
    if _VERSION.fullmatch(text):
        return text
    raise BadParameter(f"version: expected 6 to 64 hex digits, found {text[:80]!r}")


def _extras(row: Mapping[str, Any], num_tasks: int) -> Extras:
    has_logits = chosen(row, LOGITS_PARAMETER, BOOLEANS)
    has_attention = chosen(row, ATTENTION_PARAMETER, BOOLEANS)
    return Extras(
        embed=chosen(row, EMBED_PARAMETER, BOOLEANS),
        logits_bytes=MAX_LOGITS_BYTES // num_tasks if has_logits else 0,
        encoding=chosen(row, ENCODING_PARAMETER, _ENCODINGS),
        attention_bytes=MAX_ATTENTION_BYTES // num_tasks if has_attention else 0,
    )


def chosen(row: Mapping[str, Any], key: str, choices: Mapping[str, _Choice]) -> _Choice:
    """Return what a parameter stands for: the first choice if it is not there.

    Raises:
        BadParameter: it is none of the choices, or said twice.
    """
    text = text_of(row, key)
    if text is None:
        return next(iter(choices.values()))
    if text in choices:
        return choices[text]
    raise BadParameter(f"{key}: expected {' or '.join(choices)}, found {text[:80]!r}")
