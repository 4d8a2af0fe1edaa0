"""What the ASGI app does before, beside and instead of asking the engine."""

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette

from serving.door.admission import Admission
from serving.door.rate_limit import RateLimit
from serving.door.tenants import digest_of
from serving.door.tenants_file import TenantsFile
from serving.front import app as front_app
from serving.front import exchange
from serving.front.app import build_app
from serving.front.predict import Bounds
from serving.front.token import TokenFile
from serving.health.heartbeat import READY_S, Heartbeat
from serving.health.vitals import Vitals
from serving.protocol import Answer, ErrorCode, LabelScore, TaskPage
from serving.rows.listing import Listing
from serving.rows.query import Outcome, Query
from tests.fakes.asgi_caller import Caller, sized
from tests.fakes.waiting import wait_until

LIMIT = 1000
IMAGE = b"x" * 400
TENANT = {"name": "a", "tasks": ["pets"], "requests_per_s": 0.01, "burst": 2}
KEY = {"X-Api-Key": "key of a"}


class Engine:
    """Answers at once, or when it is told to; notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.is_closed = False

    def predict(self, queries: Sequence[Query]) -> list[Outcome]:
        self.asked += [query.task for query in queries]
        assert self.may_answer.wait(60)
        if queries[0].task == "broken":
            raise RuntimeError("a fault of ours")
        label = LabelScore(label="x", index=0, score=1.0)
        return [Answer(task=q.task, version="0" * 64, predictions=(label,)) for q in queries]

    def list_tasks(self, _: Listing) -> TaskPage:
        return TaskPage(tasks=())

    def close(self) -> None:
        self.is_closed = True


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = Engine()
    yield engine
    engine.may_answer.set()


@pytest.fixture
def make(engine: Engine) -> Callable[..., Starlette]:
    def made(memory: int = 1 << 20, threads: int = 4, **more: Any) -> Starlette:
        settings = {
            "admission": Admission(None, RateLimit()),
            "vitals": Vitals(Heartbeat(None), lambda: None),
        }
        bounds = Bounds(LIMIT, memory, threads)
        return build_app(engine, bounds=bounds, **settings | more)

    return made


@pytest.fixture
def tenants(tmp_path: Path) -> Iterator[Admission]:
    path = tmp_path / "tenants.json"
    path.write_text(json.dumps({"tenants": [TENANT | {"keys": [digest_of(KEY["X-Api-Key"])]}]}))
    admission = Admission(TenantsFile(path, period_s=3600.0), RateLimit())
    yield admission
    admission.close()


def ask(app: Starlette, *callers: Caller) -> list[Caller]:
    """Return the callers once all have been answered, one after the other."""

    async def run() -> list[Caller]:
        return [await asyncio.wait_for(caller.ask(app), 60) for caller in callers]

    return asyncio.run(run())


REFUSED = {
    "no key": ("task=pets", {}, 401),
    "no key, a form": ("", {"Content-Type": "multipart/form-data; boundary=x"}, 401),
    "forbidden": ("task=cars", KEY, 403),
    "bad parameter": ("task=pets&top_k=0", KEY, 400),
    "many parameters": ("task=pets&" + "x=y&" * 20, KEY, 400),
    "too large": ("task=pets", KEY | {"Content-Length": str(LIMIT + 1)}, 413),
    "too large, a form": (
        "", KEY | {"Content-Length": "9999", "Content-Type": "multipart/form-data; boundary=x"},
        413,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("query", "headers", "status"), REFUSED.values(), ids=REFUSED.keys())
def test_what_the_head_decides_is_told_before_the_body_is_read(
    make: Callable[..., Starlette],
    engine: Engine,
    tenants: Admission,
    query: str,
    headers: dict[str, str],
    status: int,
) -> None:
    caller = Caller(query, sized(IMAGE) | headers).say(IMAGE)
    ask(make(admission=tenants), caller)
    assert (caller.status, caller.num_read_before_reply) == (status, 0)
    assert caller.headers["connection"] == "close"
    assert engine.asked == []


def test_beyond_the_rate_a_body_is_not_read(
    make: Callable[..., Starlette], tenants: Admission
) -> None:
    app = make(admission=tenants)
    callers = [Caller(headers=sized(IMAGE) | KEY).say(IMAGE) for _ in range(3)]
    ask(app, *callers)
    assert [(c.status, c.num_read_before_reply) for c in callers] == [(200, 2), (200, 2), (429, 0)]
    assert callers[2].headers["retry-after"] == "100"


def test_one_who_is_refused_may_finish_what_it_says_and_no_more(
    make: Callable[..., Starlette], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "_LINGER_S", 0.01)
    finishes = Caller("task=NO", sized(IMAGE)).say(b"x" * 399, b"x")
    never = Caller("task=NO", sized(IMAGE)).say(b"x", more=True)
    for caller in ask(make(), finishes, never):
        assert (caller.status, caller.num_read) == (400, 2)
        assert [one.get("more_body") for one in caller.sent] == [None, True, False]


def test_a_body_without_a_promise_is_read_to_the_limit(
    make: Callable[..., Starlette], engine: Engine
) -> None:
    chunked = {"Transfer-Encoding": "chunked"}
    fits = Caller(headers=chunked).say(*[b"x" * 100] * 10)
    exceeds = Caller(headers=chunked).say(*[b"x" * 100] * 20)
    ask(make(), fits, exceeds)
    assert (fits.status, exceeds.status, exceeds.code) == (200, 413, ErrorCode.IMAGE_TOO_LARGE)
    assert exceeds.num_read_before_reply == 11
    assert engine.asked == ["pets"]


@pytest.mark.parametrize("patience", ["STALL_S", "_LEAST_BYTES_PER_S"])
def test_a_sender_that_stalls_or_dawdles_is_ended(
    make: Callable[..., Starlette], monkeypatch: pytest.MonkeyPatch, patience: str
) -> None:
    monkeypatch.setattr(exchange, "_LINGER_S", 0.01)
    monkeypatch.setattr(exchange, "STALL_S", 0.05)
    monkeypatch.setattr(exchange, "_LEAST_BYTES_PER_S", 10**9 if patience != "STALL_S" else 1)
    caller = Caller(headers=sized(IMAGE)).say(b"x", more=True)

    async def run() -> None:
        asking = asyncio.create_task(caller.ask(make()))
        while patience != "STALL_S" and not asking.done():
            caller.say(b"", more=True)
            await asyncio.sleep(0.001)
        await asking

    asyncio.run(asyncio.wait_for(run(), 60))
    assert (caller.status, caller.code) == (408, ErrorCode.BODY_TOO_SLOW)


def blocked(
    app: Starlette, engine: Engine, then: Callable[[], Awaitable[None]], first: Caller
) -> None:
    """Do something while the engine is busy with one request."""

    async def run() -> None:
        engine.may_answer.clear()
        asking = asyncio.create_task(first.ask(app))
        while not engine.asked:
            await asyncio.sleep(0.001)
        await then()
        engine.may_answer.set()
        await asking

    asyncio.run(asyncio.wait_for(run(), 60))
    assert first.status == 200


@pytest.mark.parametrize(
    ("memory", "query", "body"),
    [(3 * 2 * LIMIT, "task=pets,b,c", IMAGE), (3 * LIMIT, "task=pets", b"x" * 700)],
    ids=["rows", "bytes"],
)
def test_what_has_no_room_is_refused_at_once_and_has_it_later(
    make: Callable[..., Starlette], engine: Engine, memory: int, query: str, body: bytes
) -> None:
    app = make(memory)
    second = Caller(query, sized(body)).say(body)
    third = Caller("task=b", sized(IMAGE)).say(IMAGE)

    async def ask_again() -> None:
        await second.ask(app)

    blocked(app, engine, ask_again, Caller(headers=sized(IMAGE)).say(IMAGE))
    assert (second.status, second.code) == (503, ErrorCode.NOT_READY)
    assert (second.num_read_before_reply, second.headers["retry-after"]) == (0, "1")
    assert ask(app, third)[0].status == 200


def test_a_caller_who_goes_before_its_turn_is_never_asked_for_and_leaves_its_room(
    make: Callable[..., Starlette], engine: Engine
) -> None:
    app = make(2 * 3 * LIMIT, threads=1)  # room for two rows
    goes, comes = (Caller(f"task={t}", sized(IMAGE)).say(IMAGE) for t in ("goes", "comes"))

    async def go_away() -> None:
        goes.leave()
        await goes.ask(app)
        asking = asyncio.create_task(comes.ask(app))
        while comes.num_read < 2:
            await asyncio.sleep(0.001)
        engine.may_answer.set()
        await asking

    blocked(app, engine, go_away, Caller(headers=sized(IMAGE)).say(IMAGE))
    assert goes.sent == []
    assert engine.asked == ["pets", "comes"]


def test_a_caller_who_goes_in_the_middle_of_its_body_is_told_nothing(
    make: Callable[..., Starlette], engine: Engine
) -> None:
    caller = Caller(headers=sized(IMAGE)).say(b"x", more=True)
    caller.leave()
    assert ask(make(), caller)[0].sent == []
    assert engine.asked == []


def test_a_fault_of_ours_is_500_and_keeps_its_secrets(
    make: Callable[..., Starlette], caplog: pytest.LogCaptureFixture
) -> None:
    (caller,) = ask(make(), Caller("task=broken", sized(IMAGE)).say(IMAGE))
    assert (caller.status, caller.code) == (500, ErrorCode.INTERNAL)
    assert "fault of ours" not in json.dumps(caller.body)
    assert "a fault of ours" in caplog.text


def test_without_the_token_nobody_is_let_in(make: Callable[..., Starlette], tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("secret\n")
    app = make(token=TokenFile(path))
    shown = ("Bearer secret", "bearer secret", "Bearer other", "Basic secret", "secret", "Bearer ")
    callers = [Caller(headers=sized(IMAGE, Authorization=one)).say(IMAGE) for one in shown]
    ask(app, *callers, nothing := Caller(headers=sized(IMAGE)).say(IMAGE))
    assert [caller.status for caller in callers] == [200, 200, 401, 401, 401, 401]
    assert (nothing.code, nothing.headers["www-authenticate"]) == (ErrorCode.BAD_TOKEN, "Bearer")
    assert nothing.num_read_before_reply == 0


def test_while_it_stops_callers_are_answered_and_sent_away(make: Callable[..., Starlette]) -> None:
    app = make(is_stopping=lambda: True)
    ready = Caller(path="/readyz", method="GET")
    alive = Caller(path="/livez", method="GET")
    asks = Caller(headers=sized(IMAGE)).say(IMAGE)
    ask(app, ready, alive, asks)
    assert (ready.status, alive.status, asks.status) == (503, 200, 200)
    assert (ready.body["reason"], asks.headers["connection"]) == ("it is stopping", "close")


def test_a_process_whose_device_is_lost_refuses_and_is_not_alive(
    make: Callable[..., Starlette],
) -> None:
    vitals = Vitals(Heartbeat(None), lambda: None, end=lambda _: None)
    vitals._is_ending = True
    app = make(vitals=vitals)
    asks = Caller(headers=sized(IMAGE)).say(IMAGE)
    probes = [Caller(path=path, method="GET") for path in ("/livez", "/readyz", "/ping")]
    ask(app, asks, *probes)
    assert [caller.status for caller in (asks, *probes)] == [503] * 4
    assert asks.headers["retry-after"] == "1"


def test_when_nobody_asks_a_row_of_nothing_keeps_it_ready(
    make: Callable[..., Starlette], engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(front_app, "_LOOK_S", 0.001)
    heartbeat, probed = Heartbeat(None), threading.Event()
    heartbeat._beat_at -= READY_S + 1
    app = make(vitals=Vitals(heartbeat, probed.set))
    before, after = (Caller(path="/readyz", method="GET") for _ in range(2))

    async def run() -> None:
        await before.ask(app)
        async with app.router.lifespan_context(app):
            await asyncio.to_thread(wait_until, "it has beaten", lambda: heartbeat.age_s < READY_S)
            await after.ask(app)

    asyncio.run(asyncio.wait_for(run(), 60))
    assert (before.status, after.status) == (503, 200)
    assert probed.is_set()
    assert engine.is_closed


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [("/", "GET", 404), ("/spt/predict/", "POST", 404), ("/spt/predict", "GET", 405)],
)
def test_what_is_no_route_is_told_which_one_is(
    make: Callable[..., Starlette], path: str, method: str, status: int
) -> None:
    caller = Caller(headers=sized(IMAGE), path=path, method=method).say(IMAGE)
    ask(make(), caller)
    assert (caller.status, caller.num_read_before_reply) == (status, 0)
    assert "POST /spt/predict?task=<task>" in caller.body["error"]["message"]
