"""What strangers send, as bytes: a corpus of bad images and calls, and fuzz drawn from a seed."""

import random
from dataclasses import dataclass
from typing import Final, TypeVar
from urllib.parse import urlencode

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from clients.load.closed import Ask
from serving.protocol import ErrorCode
from tests.fakes import hostile
from tests.faults.scene.versions import IMAGES, TASKS
from tests.faults.strangers.raw import ROUTE, post

T = TypeVar("T")


@dataclass(frozen=True)
class Sent:
    """One request, and what must become of it.

    Attributes:
        name: what is odd about it.
        request: its bytes, without key and token.
        image: in its body, where an answer to it can be checked.
        ask: for a good request, what it asks.
        status: it must be answered with; None leaves it open, but for 5xx.
        code: of the error that it must be answered with.
        is_whole: whether it is HTTP that has an answer; the rest may just be cut off.
        is_form: whether TorchServe takes it apart before our handler sees it.
    """

    name: str
    request: bytes
    image: bytes | None = None
    ask: Ask | None = None
    status: int | None = None
    code: str | None = None
    is_whole: bool = True
    is_form: bool = False


def good(count: int) -> list[Sent]:
    """Return so many requests that must be answered."""
    asks = [
        Ask(IMAGES[i % len(IMAGES)], TASKS[i % len(TASKS)], top_k=1 + i % 7) for i in range(count)
    ]
    return [
        Sent(
            "good",
            post(f"task={ask.task}&top_k={ask.top_k}", ask.image),
            ask.image,
            ask,
            status=200,
        )
        for ask in asks
    ]


def traffic(count: int, number: int) -> list[Sent]:
    """Return so many hostile requests, the same ones for the same number; all of the corpus."""
    corpus = _corpus()
    share = (count - max(len(corpus), count // 5)) // 4
    fuzz = [
        *map(_odd_query, drawn(_QUERIES, share, number)),
        *map(_odd_headers, drawn(_HEADERS, share, number + 1)),
        *map(_odd_body, drawn(_BODIES, share, number + 2)),
        *map(_odd_http, drawn(_RAW, share, number + 3)),
    ]
    everything = fuzz + [corpus[i % len(corpus)] for i in range(count - len(fuzz))]
    random.Random(number).shuffle(everything)
    return everything


def drawn(strategy: st.SearchStrategy[T], count: int, number: int) -> list[T]:
    """Return examples of a strategy, the same ones for the same number."""
    found: list[T] = []

    @seed(number)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def collect(example: T) -> None:
        found.append(example)

    collect()
    return found[:count]


def _corpus() -> list[Sent]:
    task = TASKS[0]
    images = [
        Sent(
            case.name,
            post(f"task={task}", case.data, {"Content-Type": case.content_type}),
            case.data,
            status=case.status,
            # JSON that can be read is a call with a list, and this one has none
            code=ErrorCode.BAD_PARAMETER if case.name == "json_called_json" else case.code,
        )
        for case in (*hostile.bad_images(), *hostile.good_images())
    ]
    calls = [
        Sent(
            call.name,
            post(urlencode(call.params), IMAGES[0]),
            status=call.status,
            code=call.code,
        )
        for call in hostile.bad_calls(task)
    ]
    return images + calls


_TEXT: Final = st.text(st.characters(codec="utf-8"), max_size=40)
_NAMES: Final = st.one_of(
    st.sampled_from(["task", "top_k", "version", "body", "data", "model_name", "X-Task"]), _TEXT
)
_VALUES: Final = st.one_of(
    st.sampled_from([*TASKS[:3], ",".join(TASKS[:3]), "5", "0", "a" * 64, "../..", ""]), _TEXT
)
_QUERIES: Final = st.one_of(
    st.lists(st.tuples(_NAMES, _VALUES), max_size=5).map(urlencode),
    st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=60),
)


def _odd_query(query: str) -> Sent:
    return Sent("odd query", post(query.replace("#", "%23"), IMAGES[0]), IMAGES[0])


_TOKEN: Final = st.text("abcdefghijklmnopqrstuvwxyzABCXYZ0123456789-_.!~", min_size=1, max_size=20)
_FRAMING: Final = frozenset({"content-length", "transfer-encoding", "host"})
_HEADER_NAMES: Final = st.one_of(
    st.sampled_from(
        [
            *("Content-Type", "Content-Encoding", "Accept", "Accept-Encoding", "Cookie", "Range"),
            *("Connection", "Upgrade", "Expect", "X-Task", "x-task", "X-Request-Id", "describe"),
            *("explain", "url_path", "X-Batch-Id", "Origin", "Forwarded", "Via", "TE"),
        ]
    ),
    _TOKEN.filter(lambda name: name.lower() not in _FRAMING),
)
_HEADER_VALUES: Final = st.one_of(
    st.sampled_from(
        [
            *("application/json", "text/plain", "image/jpeg", "multipart/form-data; boundary=x"),
            *("application/x-www-form-urlencoded", "gzip", "100-continue", "websocket", "close"),
            *("True", "*/*", "bytes=0-10", "a" * 2000, *TASKS[:2]),
        ]
    ),
    st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=60),
)
_HEADERS: Final = st.dictionaries(_HEADER_NAMES, _HEADER_VALUES, min_size=1, max_size=6)


def _odd_headers(headers: dict[str, str]) -> Sent:
    kinds = [value for name, value in headers.items() if name.lower() == "content-type"]
    is_form = any("form" in kind.lower() for kind in kinds)
    request = post(f"task={TASKS[0]}", IMAGES[0], headers)
    return Sent("odd headers", request, IMAGES[0], is_form=is_form)


@st.composite
def _mutated(draw: st.DrawFn) -> bytes:
    """Return an image some of whose bytes are others, cut, or followed by more."""
    cases = hostile.good_images()
    data = bytearray(draw(st.sampled_from(cases)).data)
    for _ in range(draw(st.integers(0, 8))):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    cut = draw(st.integers(0, len(data)))
    return bytes(data[:cut] if draw(st.booleans()) else data + data[:cut])


_BODIES: Final = st.one_of(_mutated(), st.binary(max_size=3000))


def _odd_body(body: bytes) -> Sent:
    return Sent("odd body", post(f"task={TASKS[0]}", body), body)


_METHODS: Final = ["GET", "PUT", "DELETE", "OPTIONS", "HEAD", "TRACE", "PATCH", "SPAM", "", "P\0ST"]
_PATHS: Final = [
    *(ROUTE, "/", "", "*", "//", "/ping", "/models", "/api-description", "/predictions/spt"),
    *("/spt/../spt/predict", "/%2e%2e/predict", "/spt/predict?%zz", "/explanations/spt"),
    *("/predictions/" + "a" * 3000, "/invocations", "/v2/models/spt/infer", "http://[::1/"),
]
_LENGTHS: Final = ["-1", "0", "1", "99999", "99999999999999999999", "abc", "5, 6", "", "+3"]


@st.composite
def _bad_framing(draw: st.DrawFn) -> bytes:
    """Return a request that says of its own length what is not true."""
    lines = [f"POST {ROUTE}?task={TASKS[0]} HTTP/1.1", "Host: strangers"]
    for length in draw(st.lists(st.sampled_from(_LENGTHS), max_size=2)):
        lines.append(f"Content-Length: {length}")
    if draw(st.booleans()):
        lines.append(f"Transfer-Encoding: {draw(st.sampled_from(['chunked', 'x', 'gzip']))}")
    body = draw(st.one_of(st.just(IMAGES[0]), st.binary(max_size=200)))
    return "\r\n".join([*lines, "", ""]).encode() + body


@st.composite
def _bad_line(draw: st.DrawFn) -> bytes:
    """Return a request whose first line or headers are not quite HTTP."""
    method, path = draw(st.sampled_from(_METHODS)), draw(st.sampled_from(_PATHS))
    version = draw(st.sampled_from(["HTTP/1.1", "HTTP/1.0", "HTTP/9.9", "", "HTTP", "\xff"]))
    headers = draw(st.lists(st.binary(max_size=60), max_size=4))
    if draw(st.integers(0, 9)) == 0:
        headers.append(b"X-Junk: " + b"x" * 20_000)
    first = f"{method} {path} {version}".encode("latin-1")
    return b"\r\n".join([first, b"Host: strangers", *headers, b"", b""])


_RAW: Final = st.one_of(
    _bad_framing(),
    _bad_line(),
    st.binary(max_size=300).map(lambda data: data + b"\r\n\r\n"),
    st.integers(1, 400).map(lambda end: post(f"task={TASKS[0]}", IMAGES[0])[:end]),
)


def _odd_http(request: bytes) -> Sent:
    return Sent("odd HTTP", request, is_whole=False)
