"""What is said to the service and in which order, for both clients: it neither sends nor waits.

A conversation is a generator. It yields what is to be done next, gets what came of it, or has it
raised, and returns what the caller asked for.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeVar

import httpx

from clients.asking.retries import Retries, may_pass
from clients.errors import BadRequest, ClientError, UnexpectedAnswer, from_failure
from clients.images.content import Image
from clients.lists import build_list_call, parse_list
from clients.wire import Call, Options, build_call, build_list, parse_body, parse_many
from serving.protocol import Answer, ErrorCode, Failure, MultiAnswer, TaskInfo, TaskPage

_T = TypeVar("_T")


class Load(NamedTuple):
    """Read an image, or fetch it; what comes of it are bytes."""

    image: Image
    patience_s: float


class Send(NamedTuple):
    """Send a call; what comes of it is the response, or a `ClientError`."""

    call: Call
    patience_s: float


class Pause(NamedTuple):
    """Wait so long; nothing comes of it."""

    patience_s: float


Step = Load | Send | Pause
Conversation = Generator[Step, Any, _T]


def exchange(
    call: Call, parse: Callable[[httpx.Response], _T], retries: Retries
) -> Conversation[_T]:
    """Send a call until it is answered, or asking again is in vain.

    Args:
        call: what is sent.
        parse: returns what a response says, or raises a `ClientError`.
        retries: decides.

    Raises:
        ClientError: what the last attempt ended with.
    """
    while True:
        try:
            return parse((yield Send(call, retries.left_s)))
        except ClientError as error:
            wait_s = retries.wait_s(error)
            if wait_s is None:
                raise
        yield Pause(wait_s)


class Question(NamedTuple):
    """What is asked about one image.

    Attributes:
        model: its name in the service.
        tasks: one or more.
        options: see `Options`.
        version: of the one task; None is the current one.
    """

    model: str
    tasks: tuple[str, ...]
    options: Options
    version: str | None = None


def ask(
    question: Question, image: Image, parse: Callable[[httpx.Response], _T], retries: Retries
) -> Conversation[_T]:
    """Ask about one image; see `exchange`.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is nothing that can be an image.
    """
    content = yield Load(image, retries.left_s)
    return (yield from exchange(_call(question, content), parse, retries))


def ask_many(question: Question, image: Image, retries: Retries) -> Conversation[MultiAnswer]:
    """Ask several tasks; those that failed and may not fail again are asked again alone.

    Raises:
        ClientError: not one task answered; it is the first task's failure.
        OSError, ValueError: as `ask`.
    """
    content = yield Load(image, retries.left_s)
    found: dict[str, Answer | Failure] = {}
    left = question.tasks
    while left:
        call = _call(question._replace(tasks=left), content)
        try:
            many = yield from exchange(call, partial(parse_many, tasks=left), retries)
        except ClientError:
            if not found:
                raise
            break
        found |= dict(zip(left, many.answers, strict=True))
        left = yield from _later(_open_tasks(found), retries)
    return MultiAnswer(answers=tuple(found[task] for task in question.tasks))


def ask_list(
    question: Question, images: Sequence[Image], retries: Retries
) -> Conversation[tuple[MultiAnswer, ...]]:
    """Ask about several images in one call.

    Raises:
        ClientError: no task answered of any image; it is the first failure.
        OSError, ValueError: as `ask`.
    """
    contents = []
    for image in images:
        contents.append((yield Load(image, retries.left_s)))
    call = build_list_call(question.model, contents, question.tasks, question.options)
    parse = partial(parse_list, num_images=len(contents), tasks=question.tasks)
    return (yield from exchange(call, parse, retries))


def _later(open_tasks: dict[str, ClientError], retries: Retries) -> Conversation[tuple[str, ...]]:
    """Wait, and return the tasks to ask again; none where that is in vain."""
    if not open_tasks:
        return ()
    wait_s = retries.wait_s(max(open_tasks.values(), key=lambda one: one.retry_after_s or 0.0))
    if wait_s is None:
        return ()
    yield Pause(wait_s)
    return tuple(open_tasks)


def list_tasks(model: str, retries: Callable[[], Retries]) -> Conversation[list[TaskInfo]]:
    """Ask for all tasks, page by page.

    Args:
        model: its name in the service.
        retries: makes those of one page.
    """
    found: list[TaskInfo] = []
    after = ""
    while True:
        page = yield from exchange(build_list(model, after=after), parse_page, retries())
        found += page.tasks
        if page.next is None:
            return found
        if page.next <= after:
            raise UnexpectedAnswer(f"the list of tasks does not go on after {after!r}")
        after = page.next


def show_task(call: Call, task: str, retries: Retries) -> Conversation[TaskInfo]:
    """Ask for one task by what `build_show` returned."""
    page = yield from exchange(call, parse_page, retries)
    if [one.task for one in page.tasks] != [task]:
        found = [one.task for one in page.tasks][:3]
        raise UnexpectedAnswer(f"expected task {task!r} alone, found {found}")
    return page.tasks[0]


def wait_ready(model: str, retries: Retries) -> Conversation[None]:
    """Return once the service answers what needs its worker."""
    try:
        yield from exchange(build_list(model, limit=1), parse_page, retries)
    except BadRequest as error:
        if error.code != ErrorCode.BAD_PARAMETER:  # an earlier one answers, and knows no list
            raise


def parse_page(response: httpx.Response) -> TaskPage:
    """Return the tasks that a response lists, or raise a `ClientError`."""
    return parse_body(response, TaskPage)


def _call(question: Question, content: bytes) -> Call:
    return build_call(question.model, content, question.tasks, question.options, question.version)


def _open_tasks(found: Mapping[str, Answer | Failure]) -> dict[str, ClientError]:
    """Return the tasks that failed and may be answered later, and what they failed with."""
    failed = {
        task: from_failure(entry) for task, entry in found.items() if isinstance(entry, Failure)
    }
    return {task: error for task, error in failed.items() if may_pass(error)}
