"""Who asks is known to both fronts and to the device: in the reply, and in every line of a log."""

import json
import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

import serving.build
from adapters.cache.cached_store import CachedStore
from adapters.store.directory import DirectoryStore
from adapters.vit.adapter import encode
from serving.decoding.decoder import DecoderSettings
from serving.device.device import Device
from serving.device.local import LocalDevice
from serving.device.server import DeviceServer
from serving.door.admission import Admission
from serving.door.rate_limit import RateLimit
from serving.front.app import build_app
from serving.front.predict import Bounds
from serving.front.token import TokenFile
from serving.handler import Handler
from serving.health.heartbeat import Heartbeat
from serving.health.vitals import Vitals
from serving.inference.bank import AdapterBank
from serving.inference.core import Core
from serving.runtime.device_client import DeviceClient
from serving.runtime.front_engine import FrontEngine
from serving.tracing.lines import JsonLines
from serving.trunk.cpu import CpuBackend
from tests.fakes.artifacts import make_adapter
from tests.fakes.context import FakeContext
from tests.fakes.tiny import image_bytes, tiny_backbone

BACKBONE = tiny_backbone()
IMAGE = image_bytes(0)
TOKEN = "a-token-that-nobody-may-read"
TRACE_ID, SPAN_ID = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PARENT = f"00-{TRACE_ID}-{SPAN_ID}-01"
AUTHORISED = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> DirectoryStore:
    """Has a task that answers, and one whose bytes are damaged."""
    store = DirectoryStore(tmp_path_factory.mktemp("store"))
    for task in ("pets", "spoilt"):
        pointer = store.publish(encode(make_adapter(task, backbone=BACKBONE.spec)))
    artifact = store.files.artifact("spoilt", pointer.version)
    artifact.chmod(0o600)
    artifact.write_bytes(artifact.read_bytes()[:-1])
    return store


@contextmanager
def local_device(core: Core, _: Path) -> Iterator[FrontEngine[Any]]:
    device = Device(core, max_batch=8, patience_s=60.0)
    yield FrontEngine(LocalDevice(device, core), DecoderSettings(threads=1), 60.0)


@contextmanager
def device_process(core: Core, folder: Path) -> Iterator[FrontEngine[Any]]:
    """Yield a front's engine whose device speaks to it over a socket, as another process."""
    device = Device(core, max_batch=8, patience_s=60.0)
    server = DeviceServer(device, core, folder, core.probe)
    threading.Thread(target=server.serve, daemon=True).start()
    yield FrontEngine(DeviceClient(folder, 60.0), DecoderSettings(threads=1), 60.0)
    server.close()
    device.close()
    core.close()


@pytest.fixture(params=[local_device, device_process])
def http(
    request: pytest.FixtureRequest, store: DirectoryStore, tmp_path: Path
) -> Iterator[TestClient]:
    source = CachedStore(store)
    core = Core(CpuBackend(BACKBONE), source, AdapterBank(BACKBONE, source, 1 << 20))
    (tmp_path / "token").write_text(TOKEN)
    with request.param(core, tmp_path) as engine:
        app = build_app(
            engine,
            Admission(None, RateLimit()),
            Vitals(Heartbeat(None), engine.probe),
            Bounds(100_000, 1 << 24, threads=4),
            token=TokenFile(tmp_path / "token"),
        )
        with TestClient(app, headers=AUTHORISED) as client:
            yield client


@pytest.fixture
def written() -> Iterator[StringIO]:
    """What all loggers say, as a log of JSON has it."""
    text, handler = StringIO(), logging.StreamHandler()
    handler.setStream(text)
    handler.setFormatter(JsonLines())
    root, level = logging.getLogger(), logging.getLogger().level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield text
    root.removeHandler(handler)
    root.setLevel(level)


def lines(written: StringIO, logger: str = "serving.errors") -> list[dict[str, Any]]:
    found = [json.loads(line) for line in written.getvalue().splitlines()]
    return [line for line in found if line["logger"] == logger]


ASKED = [
    ("POST", "/spt/predict?task=pets", 200),
    ("POST", "/spt/predict?task=spoilt", 500),
    ("POST", "/spt/predict?task=nope", 404),
    ("POST", "/spt/predict", 400),
    ("GET", "/spt/predict", 405),
    ("GET", "/spt/tasks", 200),
    ("GET", "/readyz", 200),
    ("GET", "/nothing/here", 404),
]


@pytest.mark.parametrize(("method", "path", "status"), ASKED)
def test_each_reply_has_the_callers_id_or_a_new_one(
    http: TestClient, method: str, path: str, status: int
) -> None:
    def ask(headers: dict[str, str]) -> str:
        reply = http.request(method, path, content=IMAGE, headers=headers)
        assert reply.status_code == status, reply.text
        return reply.headers["x-request-id"]

    assert ask({"X-Request-Id": "a:b-1"}) == "a:b-1"
    new = {ask({}), ask({"X-Request-Id": "not fit"}), ask({"X-Request-Id": "x" * 129})}
    assert len(new) == 3
    assert "not fit" not in new


def test_who_is_not_let_in_has_an_id_too(http: TestClient) -> None:
    refused = http.post("/spt/predict?task=pets", headers={"Authorization": "Bearer x"})
    assert (refused.status_code, len(refused.headers["x-request-id"])) == (401, 36)


def test_a_line_about_a_fault_says_whose_it_was_in_which_trace(
    http: TestClient, written: StringIO
) -> None:
    http.post(
        "/spt/predict?task=spoilt,pets",
        content=IMAGE,
        headers={"X-Request-Id": "r-1", "traceparent": PARENT},
    )
    (line,) = lines(written)
    found = {name: line[name] for name in ("request_id", "trace_id", "task", "code")}
    assert found == {
        "request_id": "r-1",
        "trace_id": TRACE_ID,
        "task": "spoilt",
        "code": "adapter_damaged",
    }


def test_a_malformed_traceparent_is_ignored(http: TestClient, written: StringIO) -> None:
    headers = {"traceparent": "00-0-0-01"}
    assert http.post("/spt/predict?task=pets", content=IMAGE, headers=headers).status_code == 200
    http.post("/spt/predict?task=spoilt", content=IMAGE, headers=headers)
    (line,) = lines(written)
    assert "trace_id" not in line


def test_no_log_holds_an_image_a_token_or_a_key(http: TestClient, written: StringIO) -> None:
    marked = b"P6 4 4 255\n" + b"\xc3\xa9private" * 6
    headers = {"X-Api-Key": "a-key-of-somebody"}
    bodies: list[dict[str, Any]] = [
        {"content": IMAGE},
        {"content": marked},
        {"files": [("images", marked), ("images", IMAGE)]},
        {"json": {"task": "spoilt", "images": ["cHJpdmF0ZQ==", "private"]}},
        {"content": b"{private", "headers": {"Content-Type": "application/json"}},
        {"content": b"private", "headers": {"Content-Type": "multipart/form-data; boundary=x"}},
    ]
    for body in bodies:
        for query in ("?task=pets", "?task=spoilt", "?task=pets&x=y", ""):
            headers_of_body = headers | body.get("headers", {})
            http.post("/spt/predict" + query, **body | {"headers": headers_of_body})
    said = written.getvalue()
    assert "spoilt" in said
    for secret in ("private", "cHJpdm", TOKEN, "a-key-of-somebody", IMAGE[:12].hex()):
        assert secret not in said


@pytest.fixture(scope="module")
def handler(store: DirectoryStore) -> Iterator[Handler]:
    handler = Handler()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(serving.build, "load_backbone", lambda *_, **__: BACKBONE)
        patch.delenv("REDIS_URL", raising=False)
        handler.initialize(FakeContext(settings={"store": str(store.root), "max_batch": 4}))
    yield handler
    handler._engine.close()


def handled(handler: Handler, tasks: Sequence[str], headers: Sequence[dict[str, str]]) -> None:
    rows = [{"task": bytearray(task.encode()), "body": IMAGE} for task in tasks]
    handler.handle(rows, FakeContext(headers))


def test_torchserves_own_id_is_in_the_log_and_the_callers_next_to_it(
    handler: Handler, written: StringIO
) -> None:
    mine = {"x-request-id": "mine", "traceparent": PARENT}
    handled(handler, ["spoilt", "pets", "spoilt"], [mine, {}, {"X-Request-Id": "not fit"}])
    first, second = lines(written)
    assert (first["request_id"], first["caller_id"]) == ("id-of-0", "mine")
    assert first["trace_id"] == TRACE_ID
    assert second["request_id"] == "id-of-2"
    assert second.keys().isdisjoint({"caller_id", "trace_id"})


def test_no_log_of_torchserves_worker_holds_an_image_or_a_key(
    handler: Handler, written: StringIO
) -> None:
    keys = {"X-Api-Key": "a-key-of-somebody", "Authorization": "Bearer a-token"}
    for body in (b"private", {"private": 1}, "private", ["private"]):
        row = {"task": bytearray(b"spoilt,pets"), "body": body}
        handler.handle([row, row | {"x": "y"}], FakeContext([keys, keys]))
    assert "spoilt" in written.getvalue()
    for secret in ("private", "a-key-of-somebody", "a-token"):
        assert secret not in written.getvalue()
