"""A service in a few lines: answers in the protocol, remembers each request, fails on order."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

import httpx

from serving.protocol import (
    BATCH_ID_HEADER,
    BATCH_ROWS_HEADER,
    BATCH_TASKS_HEADER,
    DEFAULT_TOP_K,
    HTTP_STATUS,
    Answer,
    Attention,
    ErrorBody,
    ErrorCode,
    Failure,
    ImagesAnswer,
    LabelScore,
    MultiAnswer,
    Sample,
    TaskInfo,
    TaskPage,
)
from tests.fakes.listening import listening

VERSION = "3f2a" * 16
NUMBERS = "AACAPwAAAMA="
"""1 and -2: every feature, and the logits of every task."""


@dataclass
class FakeService:
    """Knows some tasks; `reply` answers everything instead, where it is set."""

    tasks: dict[str, tuple[str, ...]] = field(
        default_factory=lambda: {"digits": ("zero", "one", "two"), "shapes": ("disc", "square")}
    )
    reply: httpx.Response | Exception | None = None
    delay_s: float = 0.0
    requests: list[httpx.Request] = field(default_factory=list)
    in_flight: int = 0
    most_in_flight: int = 0

    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self.handle)

    def slow_transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self.handle_slowly)

    async def handle_slowly(self, request: httpx.Request) -> httpx.Response:
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        await asyncio.sleep(self.delay_s)
        self.in_flight -= 1
        return self.handle(request)

    def handle(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if isinstance(self.reply, Exception):
            raise self.reply
        if self.reply is not None:
            reply = self.reply
            return httpx.Response(reply.status_code, content=reply.content, headers=reply.headers)
        if "list" in request.url.params:
            return self.listed(request.url.params)
        top_k = int(request.url.params.get("top_k", DEFAULT_TOP_K))
        names = request.url.params["task"].split(",")
        entries = tuple(with_numbers(self.entry(name, top_k), request.url.params) for name in names)
        body = entries[0] if len(names) == 1 else MultiAnswer(answers=entries)
        if images := request.content.count(b'name="images"'):
            body = ImagesAnswer(results=(body,) * images)
        errors = [entry.error.code for entry in entries if isinstance(entry, Failure)]
        status = HTTP_STATUS[errors[0]] if len(errors) == len(entries) else 200
        headers = {BATCH_ID_HEADER: "b7", BATCH_ROWS_HEADER: "8", BATCH_TASKS_HEADER: "3"}
        return httpx.Response(status, content=body.model_dump_json(), headers=headers)

    def listed(self, asked: httpx.QueryParams) -> httpx.Response:
        """Return two tasks a page, or one with its classes."""
        name, after = asked.get("task"), asked.get("after", "")
        if name is not None and name not in self.tasks:
            body = failure(ErrorCode.TASK_NOT_FOUND, f"{name}: no such task", name)
            return httpx.Response(404, content=body.model_dump_json())
        names = [name] if name else sorted(one for one in self.tasks if one > after)
        more = {} if name is None else {"class_names": self.tasks[name], "method": "linear"}
        if asked.get("samples"):
            more["samples"] = (Sample(label="zero", jpeg="/9j/"),)
        if asked.get("card"):
            more["card"] = "# A card"
        page = TaskPage(
            tasks=tuple(TaskInfo(task=one, version=VERSION, **more) for one in names[:2]),
            next=names[1] if len(names) > 2 else None,
        )
        return httpx.Response(200, content=page.model_dump_json())

    def entry(self, name: str, top_k: int) -> Answer | Failure:
        if name not in self.tasks:
            return failure(ErrorCode.TASK_NOT_FOUND, f"{name}: no such task", name)
        labels = self.tasks[name][:top_k]
        rows = tuple(LabelScore(label=label, index=i, score=0.5) for i, label in enumerate(labels))
        return Answer(task=name, version=VERSION, predictions=rows)


def with_numbers(entry: Answer | Failure, asked: httpx.QueryParams) -> Answer | Failure:
    """Return an entry with what is asked for beside labels."""
    found: dict[str, object] = {"embedding": NUMBERS} if asked.get("embed") else {}
    if asked.get("logits"):
        found |= {"logits": NUMBERS, "class_names": ("one", "another")}
    if asked.get("attention"):
        found["attention"] = Attention(
            grid=(1, 2), values=(0.25, 0.75), prompts=0.5, resize="shorter", crop=0.875
        )
    return entry if isinstance(entry, Failure) else entry.model_copy(update=found)


def failure(
    code: str, message: str, task: str | None = None, *, retry_after_s: float | None = None
) -> Failure:
    body = ErrorBody(code=code, message=message, task=task, retry_after_s=retry_after_s)
    return Failure(error=body)


@contextmanager
def over_http(service: FakeService) -> Iterator[str]:
    """Put the service behind a real socket; yields its address."""

    class Bridge(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            url = f"http://fake{self.path}"
            headers = dict(self.headers)
            answer = service.handle(httpx.Request(self.command, url, content=body, headers=headers))
            self.send_response(answer.status_code)
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        do_GET = do_POST  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    with listening(Bridge) as address:
        yield address
