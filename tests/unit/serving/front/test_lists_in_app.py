"""Lists of images have room by their rows and bytes; whoever may not send them is told before."""

import asyncio
import json
from base64 import b64encode
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from starlette.applications import Starlette

from serving.door.admission import Admission
from serving.door.rate_limit import RateLimit
from serving.front.app import build_app
from serving.front.predict import Bounds
from serving.health.heartbeat import Heartbeat
from serving.health.vitals import Vitals
from serving.protocol import Answer, ErrorCode, LabelScore, TaskPage
from tests.fakes.asgi_caller import Caller, sized

LIMIT = 1000
LABEL = LabelScore(label="x", index=0, score=1.0)
JSON = {"Content-Type": "application/json"}


def app_with(memory: int) -> Starlette:
    engine = SimpleNamespace(
        predict=lambda queries: [
            Answer(task=query.task, version="0" * 64, predictions=(LABEL,)) for query in queries
        ],
        list_tasks=lambda _: TaskPage(tasks=()),
        close=lambda: None,
    )
    vitals = Vitals(Heartbeat(None), lambda: None)
    bounds = Bounds(LIMIT, memory, threads=1)
    return build_app(engine, Admission(None, RateLimit()), vitals, bounds)


@pytest.fixture
def app() -> Iterator[Starlette]:
    return app_with(2 * 3 * LIMIT)  # room for three rows


def asked(app: Starlette, body: bytes, query: str = "task=pets") -> Caller:
    caller = Caller(query, sized(body) | JSON).say(body)
    return asyncio.run(asyncio.wait_for(caller.ask(app), 60))


def listed(count: int) -> bytes:
    return json.dumps({"images": [b64encode(b"an image").decode()] * count}).encode()


def test_what_had_room_once_has_it_again(app: Starlette) -> None:
    for _ in range(5):
        caller = asked(app, listed(3))
        assert (caller.status, len(caller.body["results"])) == (200, 3)


@pytest.mark.parametrize(("count", "query"), [(4, "task=pets"), (2, "task=pets,cars")])
def test_more_rows_than_there_is_ever_room_for_are_not_told_to_ask_again(
    app: Starlette, count: int, query: str
) -> None:
    caller = asked(app, listed(count), query)
    assert (caller.status, caller.code) == (400, ErrorCode.BAD_PARAMETER)
    assert "has room for 3" in caller.body["error"]["message"]


def test_the_text_and_the_images_that_it_stands_for_have_room_both() -> None:
    padding = json.dumps({"images": ["eA=="], "task": "pets", "version": None, "top_k": "1"})
    body = padding.encode().ljust(900)
    assert asked(app_with(2 * LIMIT), body, "").status == 503
    assert asked(app_with(4 * LIMIT), body, "").status == 200


def test_json_that_is_too_large_is_refused_before_it_is_read(app: Starlette) -> None:
    caller = asked(app, bytes(LIMIT + 1))
    assert (caller.status, caller.num_read_before_reply) == (413, 0)
