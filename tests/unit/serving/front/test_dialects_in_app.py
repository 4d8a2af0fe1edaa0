"""Contracts of others pass the same door, have room in the same way, and survive any bytes."""

import asyncio
import gzip
import json
import struct
from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette

from adapters.errors import BadImage
from serving.door.admission import Admission
from serving.door.rate_limit import RateLimit
from serving.front.app import build_app
from serving.front.predict import Bounds
from serving.front.token import TokenFile
from serving.health.heartbeat import Heartbeat
from serving.health.vitals import Vitals
from serving.protocol import Answer, LabelScore, TaskPage
from serving.rows.listing import Listing
from serving.rows.query import Outcome, Query
from tests.fakes.asgi_caller import Caller, sized

LIMIT = 4_000
ROOM = 2 * 3 * LIMIT  # for three rows
LABEL = LabelScore(label="x", index=0, score=1.0)
INFER = "/v2/models/pets/infer"
JSON_BYTES = "Inference-Header-Content-Length"


class Engine:
    """Answers about bytes that begin as an image, and notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Query] = []

    def predict(self, queries: Sequence[Query]) -> list[Outcome]:
        self.asked += queries
        return [self._answer(query) for query in queries]

    def _answer(self, query: Query) -> Outcome:
        if not query.image.startswith(b"image"):
            return BadImage("the bytes are not an image")
        return Answer(task=query.task, version="0" * 64, predictions=(LABEL,))

    def list_tasks(self, _: Listing) -> TaskPage:
        return TaskPage(tasks=())

    def close(self) -> None:
        """Hold nothing."""


def app_with(engine: Engine, memory: int = ROOM, **more: Any) -> Starlette:
    vitals = more.pop("vitals", None) or Vitals(Heartbeat(None), lambda: None)
    bounds = Bounds(LIMIT, memory, threads=2)
    return build_app(engine, Admission(None, RateLimit()), vitals, bounds, **more)


def asked(
    app: Starlette, body: bytes, path: str = INFER, query: str = "", **headers: str
) -> Caller:
    caller = Caller(query, sized(body) | headers, path=path).say(body)
    return asyncio.run(asyncio.wait_for(caller.ask(app), 60))


def in_bytes(*images: bytes, **more: Any) -> tuple[bytes, dict[str, str]]:
    behind = b"".join(struct.pack("<I", len(one)) + one for one in images)
    image = {
        "name": "image",
        "datatype": "BYTES",
        "shape": [len(images)],
        "parameters": {"binary_data_size": len(behind)},
    }
    text = json.dumps({"inputs": [image]} | more).encode()
    return text + behind, {JSON_BYTES: str(len(text))}


def test_without_the_token_only_the_probes_answer(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("secret")
    app = app_with(Engine(), token=TokenFile(path))
    body, headers = in_bytes(b"image")
    for refused in (asked(app, body, **headers), asked(app, b"image", "/hf/pets")):
        assert (refused.status, refused.num_read_before_reply) == (401, 0)
        assert isinstance(refused.body["error"], str)
    told = {}
    for one in ("/v2", "/v2/models/pets", "/v2/health/live", "/v2/health/ready"):
        caller = Caller("", path=one, method="GET")
        told[one] = asyncio.run(caller.ask(app)).status
    assert list(told.values()) == [401, 401, 200, 200]
    shown = {"Authorization": "Bearer secret"}
    assert asked(app, body, **headers, **shown).status == 200


def test_while_it_stops_it_is_alive_and_not_ready_for_any_task() -> None:
    app = app_with(Engine(), is_stopping=lambda: True)
    found = {}
    for path in ("/v2/health/live", "/v2/health/ready", "/v2/models/pets/ready"):
        found[path] = asyncio.run(Caller("", path=path, method="GET").ask(app))
    assert [caller.status for caller in found.values()] == [200, 503, 503]
    assert found["/v2/health/ready"].body == {"error": "it is stopping"}


def test_what_had_room_once_has_it_again_and_what_has_none_is_refused() -> None:
    app = app_with(Engine())
    for _ in range(5):
        body, headers = in_bytes(b"image", b"image", b"image")
        assert asked(app, body, **headers).status == 200
    body, headers = in_bytes(*[b"image"] * 4)
    refused = asked(app, body, **headers)
    assert (refused.status, "has room for 3" in refused.body["error"]) == (400, True)


def test_a_body_that_swells_beyond_the_limit_is_refused() -> None:
    engine = Engine()
    body, headers = in_bytes(b"image" + bytes(10 * LIMIT))
    caller = asked(app_with(engine), gzip.compress(body), **headers, **{"Content-Encoding": "gzip"})
    assert (caller.status, engine.asked) == (413, [])
    assert "unpacked, the body has more bytes" in caller.body["error"]


def test_what_a_packed_body_becomes_has_room_too() -> None:
    body, headers = in_bytes(b"image" + bytes(3_000))
    packed = gzip.compress(body)
    for memory, status in ((ROOM, 503), (10 * ROOM, 200)):
        app = app_with(Engine(), memory)
        assert asked(app, packed, **headers, **{"Content-Encoding": "gzip"}).status == status


def test_of_a_call_with_a_bad_image_no_image_is_asked_about_where_it_is_seen_at_once() -> None:
    engine = Engine()
    texts = [b64encode(b"image").decode(), "no base64"]
    image = {"name": "image", "datatype": "BYTES", "shape": [2], "data": texts}
    caller = asked(app_with(engine), json.dumps({"inputs": [image]}).encode())
    assert (caller.status, engine.asked) == (400, [])
    assert "image 2 of 2" in caller.body["error"]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=20), inner),
    max_leaves=10,
)
KEYS = ("id", "parameters", "inputs", "outputs", "x")
FIELDS = ("name", "shape", "datatype", "parameters", "data", "x")
ALMOST_TENSORS = st.dictionaries(
    st.sampled_from(FIELDS),
    VALUES
    | st.sampled_from(["image", "BYTES", [1], [2, 1], ["aW1hZ2U="], {"binary_data_size": 9}]),
)
ALMOST_CALLS = st.dictionaries(
    st.sampled_from(KEYS),
    VALUES | st.lists(ALMOST_TENSORS, max_size=2) | st.sampled_from([{"top_k": 1}]),
)
BODIES = st.binary(max_size=300) | (VALUES | ALMOST_CALLS).map(lambda one: json.dumps(one).encode())
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        JSON_BYTES: st.integers(-2, 400).map(str) | st.text("0123456789abc, ", max_size=5),
        "Content-Encoding": st.sampled_from(["gzip", "deflate", "br", "identity", "gzip, gzip"]),
        "Content-Type": st.sampled_from(["application/json", "text/plain", "multipart/form-data"]),
    },
)
WELL = in_bytes(b"image", b"image")
FUZZ = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
APP = app_with(Engine(), 1 << 20)


def assert_told(caller: Caller) -> None:
    """Assert that a call was answered, or refused in a sentence and as the caller's mistake."""
    assert caller.status == 200 or 400 <= caller.status < 500, caller.body
    if caller.status != 200:
        assert caller.body.keys() == {"error"}
        assert 10 < len(caller.body["error"]) < 600
        assert caller.body["error"].isprintable() or "\\" in repr(caller.body["error"])


@FUZZ
@given(body=BODIES, headers=HEADERS)
@example(body=b"[" * 3_000, headers={})
@example(body=b'{"inputs":' * 300, headers={})
@example(body=b"", headers={JSON_BYTES: "0"})
@example(body=b'{"inputs": [{"shape": [' + b"9" * 3_900, headers={})
@example(body=b"\xff\xfe{", headers={JSON_BYTES: "3"})
@example(body='{"id": "\ud800"}'.encode("utf-8", "surrogatepass"), headers={})
@example(body=b'{"id": "\\ud800", "inputs": []}', headers={})
def test_any_body_is_answered_or_is_the_callers_mistake(
    body: bytes, headers: dict[str, str]
) -> None:
    assert_told(asked(APP, body, **headers))


@FUZZ
@given(place=st.integers(0, len(WELL[0]) - 1), byte=st.integers(0, 255))
def test_a_body_with_one_byte_changed_is_answered_or_is_the_callers_mistake(
    place: int, byte: int
) -> None:
    body = bytearray(WELL[0])
    body[place] = byte
    assert_told(asked(APP, bytes(body), **WELL[1]))


@FUZZ
@given(body=BODIES, is_json=st.booleans(), query=st.text("abc=&%_topk123", max_size=20))
def test_any_body_in_hugging_faces_shape_likewise(body: bytes, is_json: bool, query: str) -> None:
    headers = {"Content-Type": "application/json"} if is_json else {}
    assert_told(asked(APP, body, "/hf/pets", query, **headers))


@FUZZ
@given(task=st.text(max_size=30), version=st.none() | st.text(max_size=70))
def test_any_name_of_a_model_likewise(task: str, version: str | None) -> None:
    path = f"/v2/models/{task}" + ("" if version is None else f"/versions/{version}")
    body, headers = WELL
    assert_told(asked(APP, body, f"{path}/infer", **headers))
