"""Which tasks a caller is told of, by every front: the handler, the ASGI app, and its own route."""

import json
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from starlette.testclient import TestClient

import serving.build
from adapters.artifact.codec import version_of
from adapters.artifact.samples import SampleImage
from adapters.store.directory import DirectoryStore
from adapters.vit.adapter import Adapter, encode
from serving.build_front import build_admission, decoder_settings
from serving.config import ServingConfig
from serving.device.device import Device
from serving.device.local import LocalDevice
from serving.door.tenants import make_key
from serving.front.app import build_app
from serving.front.predict import Bounds
from serving.handler import Handler
from serving.health.heartbeat import Heartbeat
from serving.health.vitals import Vitals
from serving.protocol import ErrorCode
from serving.runtime.front_engine import FrontEngine
from tests.fakes.artifacts import make_adapter, make_spec
from tests.fakes.context import FakeContext
from tests.fakes.tiny import image_bytes, tiny_backbone

BACKBONE = tiny_backbone()
SAMPLE = SampleImage(label="cat", jpeg=b64encode(image_bytes(0, kind="JPEG")).decode())
CARD = "# pets\n"


def shown_to_people(adapter: Adapter) -> Adapter:
    """Return the adapter with a sample image and a card."""
    update = {"samples": (SAMPLE,), "card": CARD}
    return replace(adapter, meta=adapter.meta.model_copy(update=update))


ADAPTERS = [
    *(make_adapter(f"team-a-{i}", classes=3, backbone=BACKBONE.spec, seed=i) for i in range(3)),
    shown_to_people(make_adapter("pets", classes=5, backbone=BACKBONE.spec)),
    make_adapter("foreign", backbone=make_spec(name="another")),
]
NEWER = replace(ADAPTERS[3], head_bias=ADAPTERS[3].head_bias + 1)
VERSIONS = {adapter.meta.task.id: version_of(encode(adapter)) for adapter in ADAPTERS}
CANARY = version_of(encode(NEWER))
KEYS = {name: make_key() for name in ("all", "a", "slow")}
TENANTS = [
    {"name": "all", "tasks": ["*"], "requests_per_s": 10_000, "burst": 10_000},
    {"name": "a", "tasks": ["team-a-*", "pets"], "requests_per_s": 10_000, "burst": 10_000},
    {"name": "slow", "tasks": ["*"], "requests_per_s": 0.01, "burst": 1},
]

Found = tuple[int, dict[str, str], Any]
Ask = Callable[..., Found]


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> ServingConfig:
    folder = tmp_path_factory.mktemp("lists")
    store = DirectoryStore(folder / "store")
    for adapter in ADAPTERS:
        store.publish(encode(adapter))
    store.publish(encode(NEWER), canary=0.25)
    entries = [one | {"keys": [KEYS[str(one["name"])].digest]} for one in TENANTS]
    (folder / "tenants.json").write_text(json.dumps({"tenants": entries}))
    return ServingConfig(store=store.root, tenants=folder / "tenants.json", max_batch=4)


def shown(key: str | None) -> Mapping[str, str]:
    return {} if key is None else {"X-Api-Key": KEYS[key].key}


@contextmanager
def handler_of(config: ServingConfig) -> Iterator[Handler]:
    settings = {name: str(getattr(config, name)) for name in ("store", "tenants")}
    handler = Handler()
    handler.initialize(FakeContext(settings=settings | {"max_batch": config.max_batch}))
    yield handler
    handler._admission.close()
    handler._engine.close()


@contextmanager
def torchserve(config: ServingConfig) -> Iterator[Ask]:
    """As TorchServe hands over a GET: parameters as bytes, and an empty body."""
    with handler_of(config) as handler:

        def ask(key: str | None = "all", **params: str) -> Found:
            row = {name: bytearray(value.encode()) for name, value in params.items()}
            context = FakeContext([shown(key)])
            asked = {"list": bytearray(b"tasks")} | row | {"body": b""}
            (body,) = handler.handle([asked], context)
            return context.statuses[0][0], context.response_headers[0], json.loads(body)

        yield ask


@contextmanager
def asgi(config: ServingConfig, path: str = "/spt/tasks", **fixed: str) -> Iterator[Ask]:
    core = serving.build.build_core(config)
    device = LocalDevice(Device(core, max_batch=config.max_batch, patience_s=60.0), core)
    engine = FrontEngine(device, decoder_settings(config), 60.0)
    app = build_app(
        engine,
        build_admission(config),
        Vitals(Heartbeat(None), engine.probe),
        Bounds(config.image_limits.max_bytes, 1 << 30, threads=2),
    )
    with TestClient(app) as http:

        def ask(key: str | None = "all", **params: str) -> Found:
            answer = http.get(path, params=fixed | params, headers=dict(shown(key)))
            return answer.status_code, dict(answer.headers), answer.json()

        yield ask


@contextmanager
def asgi_as_torchserve(config: ServingConfig) -> Iterator[Ask]:
    with asgi(config, "/spt/predict", list="tasks") as ask:
        yield ask


@pytest.fixture(scope="module")
def tiny() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(serving.build, "load_backbone", lambda *_, **__: BACKBONE)
        patch.delenv("REDIS_URL", raising=False)
        yield


@pytest.fixture(scope="module", params=[torchserve, asgi, asgi_as_torchserve])
def ask(request: pytest.FixtureRequest, config: ServingConfig, tiny: None) -> Iterator[Ask]:
    with request.param(config) as ask:
        yield ask


def names(body: Any) -> list[str]:
    return [task["task"] for task in body["tasks"]]


def test_a_caller_is_told_of_its_tasks_their_versions_and_canaries(ask: Ask) -> None:
    status, headers, body = ask("a")
    assert status == 200, body
    assert {name.lower(): value for name, value in headers.items()}["content-type"] == (
        "application/json"
    )
    canary = {"version": CANARY, "share": 0.25}
    assert body == {
        "tasks": [
            {"task": "pets", "version": VERSIONS["pets"], "canary": canary},
            *({"task": one, "version": VERSIONS[one]} for one in sorted(VERSIONS) if "team" in one),
        ],
        "next": None,
    }
    assert names(ask("all")[2]) == sorted(VERSIONS)


def test_pages_follow_one_another(ask: Ask) -> None:
    found, after = [], ""
    while after is not None:
        params = {"after": after} if after else {}
        _, _, body = ask(limit="2", **params)
        assert len(body["tasks"]) <= 2
        found += names(body)
        after = body["next"]
    assert found == sorted(VERSIONS)
    assert names(ask(after="q")[2]) == [one for one in sorted(VERSIONS) if one > "q"]
    assert ask("a", limit="4")[2]["next"] is None


def test_one_task_has_its_classes_and_versions(ask: Ask) -> None:
    status, _, body = ask("a", task="pets")
    assert status == 200, body
    (task,) = body["tasks"]
    assert task["class_names"] == [f"class-{i}" for i in range(5)]
    assert (task["num_classes"], task["method"]) == (5, ADAPTERS[3].meta.method)
    assert task["versions"] == [VERSIONS["pets"]]
    assert "trouble" not in task


def test_one_task_has_its_metrics_and_who_asks_gets_samples_and_card(ask: Ask) -> None:
    (plain,) = ask("a", task="pets")[2]["tasks"]
    assert plain["metrics"] == {"test_accuracy": 0.75}
    assert not plain.keys() & {"samples", "card"}
    (whole,) = ask("a", task="pets", samples="true", card="true")[2]["tasks"]
    assert whole["samples"] == [SAMPLE.model_dump()]
    assert whole["card"] == CARD
    (bare,) = ask("a", task="team-a-0", samples="true", card="true")[2]["tasks"]
    assert bare["samples"] == []
    assert "card" not in bare


def test_a_task_of_another_backbone_says_so(ask: Ask) -> None:
    _, _, body = ask(task="foreign")
    assert "trained on backbone another" in body["tasks"][0]["trouble"]


@pytest.mark.parametrize(
    ("key", "params", "status", "code"),
    [
        (None, {}, 401, ErrorCode.BAD_KEY),
        (None, {"limit": "x"}, 401, ErrorCode.BAD_KEY),
        ("all", {"task": "none"}, 404, ErrorCode.TASK_NOT_FOUND),
        ("a", {"task": "foreign"}, 403, ErrorCode.FORBIDDEN),
        ("a", {"task": "none"}, 403, ErrorCode.FORBIDDEN),
        ("all", {"list": "models"}, 400, ErrorCode.BAD_PARAMETER),
        ("all", {"task": "../x"}, 400, ErrorCode.BAD_PARAMETER),
        ("all", {"after": "../x"}, 400, ErrorCode.BAD_PARAMETER),
        ("all", {"limit": "0"}, 400, ErrorCode.BAD_PARAMETER),
        ("all", {"limit": "1001"}, 400, ErrorCode.BAD_PARAMETER),
        ("all", {"limit": "many"}, 400, ErrorCode.BAD_PARAMETER),
        ("all", {"task": "pets", "limit": "1"}, 400, ErrorCode.BAD_PARAMETER),
        ("all", {"top_k": "1"}, 400, ErrorCode.BAD_PARAMETER),
        ("all", {"task": "pets", "samples": "6"}, 400, ErrorCode.BAD_PARAMETER),
        ("all", {"card": "true"}, 400, ErrorCode.BAD_PARAMETER),
    ],
)
def test_what_is_refused_is_told_in_the_same_way(
    ask: Ask, key: str | None, params: dict[str, str], status: int, code: str
) -> None:
    found, _, body = ask(key, **params)
    assert (found, body["error"]["code"]) == (status, code), body
    if status in {403, 404}:
        assert body["error"]["task"] == params["task"]
        assert "/" not in body["error"]["message"]


def test_a_list_counts_as_a_row(ask: Ask) -> None:
    assert ask("slow")[0] == 200
    status, headers, _ = ask("slow")
    assert status == 429
    assert {name.lower(): value for name, value in headers.items()}["retry-after"] == "100"


def test_a_list_and_images_share_a_batch_of_torchserve(config: ServingConfig, tiny: None) -> None:
    rows = [
        {"task": bytearray(b"pets"), "body": image_bytes(0)},
        {"list": bytearray(b"tasks"), "body": b""},
        {"task": bytearray(b"team-a-0"), "body": image_bytes(1)},
    ]
    context = FakeContext([shown("a")] * 3)
    with handler_of(config) as handler:
        first, second, third = map(json.loads, handler.handle(rows, context))
    assert [context.statuses[i][0] for i in range(3)] == [200] * 3
    assert (first["task"], third["task"]) == ("pets", "team-a-0")
    assert len(second["tasks"]) == 4
