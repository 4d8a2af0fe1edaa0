"""Calls and answers as plain values: what `Client` and `AsyncClient` share.

Knows the route, the parameters and the answers' shapes; sends nothing itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypedDict, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from clients.errors import UnexpectedAnswer, from_response
from serving import protocol
from serving.protocol import Answer, Failure, MultiAnswer


class Pixels(Protocol):
    """An array of 8-bit RGB, `[H, W, 3]`, such as NumPy's."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Three numbers."""

    @property
    def dtype(self) -> object:
        """Its text is uint8."""

    def tobytes(self) -> bytes:
        """Return every byte, row by row."""


Image = bytes | str | Path | Pixels
"""A file's bytes, its path, or pixels."""

Parsed = TypeVar("Parsed", bound=BaseModel)


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
    if text and protocol.TASK_SEPARATOR not in text:
        return text
    raise ValueError(f"{text!r} does not name one task; give several as a list to predict_many")


@dataclass(frozen=True)
class Call:
    """One request: everything but the address."""

    path: str
    params: dict[str, str | int]
    content: bytes
    headers: dict[str, str] = field(default_factory=dict)


class Options(TypedDict, total=False):
    """What may be asked of an answer.

    Attributes:
        top_k: how many classes, best first; 5 if it is not there.
        embed: the feature, too, as `Answer.embedding`; `clients.floats` reads it.
        logits: all logits, too, as `Answer.logits`, in the order of `Answer.class_names`.
    """

    top_k: int
    embed: bool
    logits: bool


def build_call(
    model: str, image: Image, tasks: Sequence[str], options: Options, version: str | None = None
) -> Call:
    """Return the request that asks `tasks` about `image`.

    Raises:
        OSError: the file cannot be read.
        ValueError: `tasks` is empty, a bare string, or has an entry that names no single task; or
            an array is not 8-bit RGB.
    """
    return Call(path_of(model), params_of(tasks, options, version), content_of(image))


def path_of(model: str) -> str:
    """Return the route that keeps the query."""
    return f"/{model}/predict"


def params_of(
    tasks: Sequence[str], options: Options, version: str | None = None
) -> dict[str, str | int]:
    """Return the query; errors as `build_call`."""
    if isinstance(tasks, str) or not tasks:
        raise ValueError(f"tasks: expected a list of at least one task, found {tasks!r}")
    params: dict[str, str | int] = {
        protocol.TASK_PARAMETER: protocol.TASK_SEPARATOR.join(map(task_name, tasks)),
        protocol.TOP_K_PARAMETER: options.get("top_k", protocol.DEFAULT_TOP_K),
    }
    if version is not None:
        params[protocol.VERSION_PARAMETER] = version
    for name in (protocol.EMBED_PARAMETER, protocol.LOGITS_PARAMETER):
        if options.get(name):
            params[name] = "true"
    return params


def content_of(image: Image) -> bytes:
    """Return the bytes that travel; errors as `build_call`."""
    if isinstance(image, bytes):
        return image
    if isinstance(image, str | Path):
        return Path(image).read_bytes()
    return _as_ppm(image)


def _as_ppm(pixels: Pixels) -> bytes:
    shape, dtype = (getattr(pixels, name, None) for name in ("shape", "dtype"))
    if shape is None or len(shape) != 3 or shape[2] != 3 or str(dtype) != "uint8":
        raise ValueError(
            "image: expected bytes, a path, or an array of uint8 [H, W, 3], found "
            f"{type(pixels).__name__} of shape {shape} and type {dtype}"
        )
    height, width, _ = shape
    return b"P6 %d %d 255\n" % (width, height) + pixels.tobytes()


def parse_answer(response: httpx.Response, task: str) -> Answer:
    """Return what `task` answered.

    Raises:
        ClientError: the service refused, or the body is not this task's answer.
    """
    answer = parse_body(response, Answer)
    _check_tasks(response, asked=[task], found=[answer.task])
    return answer


def parse_many(response: httpx.Response, tasks: Sequence[str]) -> MultiAnswer:
    """Return one entry per task, in the order asked; a call for one task is answered plainly.

    Raises:
        ClientError: no task answered (the first failure), or the body is not these tasks' answers.
    """
    if len(tasks) == 1:
        return MultiAnswer(answers=(parse_answer(response, tasks[0]),))
    many = parse_body(response, MultiAnswer)
    check_tasks(response, many, tasks)
    return many


def check_tasks(response: httpx.Response, many: MultiAnswer, tasks: Sequence[str]) -> None:
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
        raise from_response(response.status_code, response.content, retry_after_s=wait_s)
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
