"""Calls and answers as plain values: what `Client` and `AsyncClient` share.

Knows the route, the parameters and the answers' shapes; sends nothing itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypedDict, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from clients.errors import UnexpectedAnswer, from_response
from serving import protocol
from serving.protocol import Answer, Failure, MultiAnswer

Parsed = TypeVar("Parsed", bound=BaseModel)

_EXTRAS: Final = (
    protocol.EMBED_PARAMETER,
    protocol.LOGITS_PARAMETER,
    protocol.ATTENTION_PARAMETER,
)


@dataclass(frozen=True)
class BatchInfo:
    """Which forward answered, how many rows it had and how many tasks it mixed."""

    id: str
    rows: int
    tasks: int


def task_name(text: str) -> str:
    """Return `text` if it can name one task in a call; whether it exists, the service knows.

    Raises:
        ValueError: it is empty or holds the separator.
    """
    if isinstance(text, str) and text and protocol.TASK_SEPARATOR not in text:
        return text
    raise ValueError(f"{text!r} does not name one task; give several as a list to predict_many")


def check_tasks(tasks: Sequence[str]) -> tuple[str, ...]:
    """Return `tasks` if a call can name them.

    Raises:
        ValueError: it is empty, a bare string, or has an entry that names no single task.
    """
    if isinstance(tasks, str) or not tasks:
        raise ValueError(f"tasks: expected a list of at least one task, found {tasks!r}")
    return tuple(map(task_name, tasks))


@dataclass(frozen=True)
class Call:
    """One request: everything but the address."""

    path: str
    params: dict[str, str | int]
    content: bytes = b""
    method: str = "POST"
    headers: dict[str, str] = field(default_factory=dict)


class Options(TypedDict, total=False):
    """What may be asked of an answer.

    Attributes:
        top_k: how many classes, best first; 5 if it is not there.
        embed: the feature, too, as `Answer.embedding`; `clients.floats` reads it.
        logits: all logits, too, as `Answer.logits`, in the order of `Answer.class_names`.
        attention: where the model looks, too, as `Answer.attention`; its `array()` reads it.
    """

    top_k: int
    embed: bool
    logits: bool
    attention: bool


def build_call(
    model: str, content: bytes, tasks: Sequence[str], options: Options, version: str | None = None
) -> Call:
    """Return the request that asks `tasks` about an image.

    Args:
        model: its name in the service.
        content: the image.
        tasks: as `check_tasks` takes them.
        options: see `Options`.
        version: of the one task; None is the current one.
    """
    return Call(path_of(model), params_of(tasks, options, version), content)


def path_of(model: str) -> str:
    """Return the route that keeps the query."""
    return f"/{model}/predict"


def params_of(
    tasks: Sequence[str], options: Options, version: str | None = None
) -> dict[str, str | int]:
    """Return the query; arguments are those of `build_call`."""
    params: dict[str, str | int] = {
        protocol.TASK_PARAMETER: protocol.TASK_SEPARATOR.join(tasks),
        protocol.TOP_K_PARAMETER: options.get("top_k", protocol.DEFAULT_TOP_K),
    }
    if version is not None:
        params[protocol.VERSION_PARAMETER] = version
    for name in _EXTRAS:
        if options.get(name):
            params[name] = "true"
    return params


def build_list(model: str, *, after: str = "", limit: int | None = None) -> Call:
    """Return the request for a page of what is served.

    Args:
        model: its name in the service.
        after: the last task of the page before.
        limit: most tasks of the page; None is the service's own number.
    """
    asked = {protocol.AFTER_PARAMETER: after or None, protocol.LIMIT_PARAMETER: limit}
    return _list_call(model, asked)


def build_show(model: str, task: str, *, samples: bool = False, card: bool = False) -> Call:
    """Return the request for one task with its classes.

    Args:
        model: its name in the service.
        task: its id.
        samples: whether its sample images are asked for, too.
        card: whether its model card is.
    """
    asked = {protocol.SAMPLES_PARAMETER: samples, protocol.CARD_PARAMETER: card}
    more = {name: "true" for name, is_asked in asked.items() if is_asked}
    return _list_call(model, {protocol.TASK_PARAMETER: task, **more})


def _list_call(model: str, asked: Mapping[str, str | int | None]) -> Call:
    params: dict[str, str | int] = {protocol.LIST_PARAMETER: protocol.LIST_TASKS}
    params |= {name: value for name, value in asked.items() if value is not None}
    return Call(path_of(model), params, method="GET")


def parse_answer(response: httpx.Response, task: str) -> Answer:
    """Return what `task` answered.

    Raises:
        ClientError: the service refused, or the body is not this task's answer.
    """
    answer = parse_body(response, Answer)
    _check_tasks(response, asked=[task], found=[answer.task])
    return answer


def parse_answer_and_batch(response: httpx.Response, task: str) -> tuple[Answer, BatchInfo | None]:
    """Return what `task` answered, and which forward did, where the service says so."""
    return parse_answer(response, task), parse_batch(response.headers)


def embedding_of(answer: Answer) -> tuple[float, ...]:
    """Return the feature that was asked for.

    Raises:
        UnexpectedAnswer: it is not there.
    """
    if answer.embedding is None:
        raise UnexpectedAnswer(f"{answer.task}: expected an embedding, found an answer without")
    return protocol.floats(answer.embedding)


def parse_many(response: httpx.Response, tasks: Sequence[str]) -> MultiAnswer:
    """Return one entry per task, in the order asked; a call for one task is answered plainly.

    Raises:
        ClientError: no task answered (the first failure), or the body is not these tasks' answers.
    """
    if len(tasks) == 1:
        return MultiAnswer(answers=(parse_answer(response, tasks[0]),))
    many = parse_body(response, MultiAnswer)
    check_answers(response, many, tasks)
    return many


def check_answers(response: httpx.Response, many: MultiAnswer, tasks: Sequence[str]) -> None:
    """Raise `UnexpectedAnswer` unless there is one entry per task, in the order asked."""
    found = [e.error.task if isinstance(e, Failure) else e.task for e in many.answers]
    _check_tasks(response, asked=tasks, found=found)


def parse_batch(headers: Mapping[str, str]) -> BatchInfo | None:
    """Return which forward answered, None if the service or a proxy does not say."""
    try:
        return BatchInfo(
            id=headers[protocol.BATCH_ID_HEADER],
            rows=int(headers[protocol.BATCH_ROWS_HEADER]),
            tasks=int(headers[protocol.BATCH_TASKS_HEADER]),
        )
    except (KeyError, ValueError):
        return None


def parse_body(response: httpx.Response, shape: type[Parsed]) -> Parsed:
    """Return the body of a 200 as `shape`.

    Raises:
        ClientError: another status, or a body of another shape.
    """
    if response.status_code != httpx.codes.OK:
        wait_s = _retry_after(response.headers)
        error = from_response(response.status_code, response.content, retry_after_s=wait_s)
        error.request_id = response.headers.get(protocol.REQUEST_ID_HEADER)
        raise error
    try:
        return shape.model_validate_json(response.content)
    except ValidationError as err:
        first = err.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "body"
        raise UnexpectedAnswer(
            f"{response.url}: expected {shape.__name__}, found {response.content[:80]!r} "
            f"({where}: {first['msg']}); does this address serve our protocol?",
            status=response.status_code,
        ) from err


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds of the header; a date is not read."""
    text = headers.get(protocol.RETRY_HEADER, "")
    return float(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _check_tasks(
    response: httpx.Response, *, asked: Sequence[str], found: Sequence[str | None]
) -> None:
    same = len(asked) == len(found) and all(
        f in (a, None) for a, f in zip(asked, found, strict=True)
    )
    if not same:
        raise UnexpectedAnswer(
            f"{response.url}: expected answers of {list(asked)}, found {list(found)}",
            status=response.status_code,
        )
