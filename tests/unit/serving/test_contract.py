"""One table of calls, and what every front answers: TorchServe's handler, and the ASGI app."""

import json
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from starlette.testclient import TestClient

import serving.build
from adapters.artifact.codec import version_of
from adapters.artifact.task import Task
from adapters.artifact.unknown import UnknownRule
from adapters.images.decode import decode_image
from adapters.store.directory import DirectoryStore
from adapters.vit.adapter import Adapter, encode
from adapters.vit.pixels import to_pixels
from serving.build_front import build_admission, decoder_settings
from serving.config import ServingConfig
from serving.device.device import Device
from serving.device.local import LocalDevice
from serving.door.fields import row_of
from serving.door.tenants import make_key
from serving.front.app import build_app
from serving.front.predict import Bounds
from serving.handler import Handler
from serving.health.heartbeat import Heartbeat
from serving.health.vitals import Vitals
from serving.protocol import MAX_ROWS_PER_CALL, Answer, ErrorCode, floats
from serving.runtime.front_engine import FrontEngine
from tests.fakes import hostile
from tests.fakes.artifacts import make_adapter, make_spec
from tests.fakes.context import FakeContext
from tests.fakes.reference import reference_feature
from tests.fakes.reference_attention import reference_looks
from tests.fakes.targets import adapters_of_targets, expected_of
from tests.fakes.tiny import image_bytes, tiny_backbone

BACKBONE = tiny_backbone()
WORDS = tuple("x" * 400_000 + str(i) for i in range(4))
"""Class names that leave no room for logits."""


def wordy() -> Adapter:
    adapter = make_adapter("wordy", classes=len(WORDS), backbone=BACKBONE.spec)
    meta = adapter.meta.model_copy(update={"task": Task(id="wordy", class_names=WORDS)})
    return replace(adapter, meta=meta)


def suspicious() -> Adapter:
    """Return an adapter to which every image is unknown."""
    adapter = make_adapter("cars", classes=9, backbone=BACKBONE.spec, prompts=2, seed=1)
    rule = UnknownRule(score="energy", threshold=1e9, images=100, false_reject_rate=0.05)
    return replace(adapter, meta=adapter.meta.model_copy(update={"unknown": rule}))


ADAPTERS = {
    "pets": make_adapter("pets", classes=3, backbone=BACKBONE.spec),
    "cars": suspicious(),
    "foreign": make_adapter("foreign", backbone=make_spec(name="another")),
    "wordy": wordy(),
    **adapters_of_targets(BACKBONE.spec),
}
IMAGE = image_bytes(0)
KEYS = {name: make_key() for name in ("all", "pets", "slow", "three")}
TENANTS = [
    {"name": "all", "tasks": ["*"], "requests_per_s": 10_000, "burst": 10_000},
    {"name": "pets", "tasks": ["pets"], "requests_per_s": 10_000, "burst": 10_000},
    {"name": "slow", "tasks": ["*"], "requests_per_s": 0.01, "burst": 1},
    {"name": "three", "tasks": ["*"], "requests_per_s": 0.01, "burst": 3},
]
GOOD = {"X-Api-Key": KEYS["all"].key}


@dataclass(frozen=True)
class Call:
    """What is asked, and what must be answered."""

    name: str
    status: int
    code: ErrorCode | None = None
    params: Sequence[tuple[str, str]] = (("task", "pets"),)
    body: bytes = IMAGE
    form: Sequence[tuple[str, bytes]] = ()
    headers: Mapping[str, str] = field(default_factory=lambda: GOOD)
    answered: Mapping[str, str | None] = field(default_factory=dict)


def listed(count: int, *bad: int) -> list[tuple[str, bytes]]:
    """Return the parts of a form with so many images, those in some places not being any."""
    return [("images", b"no image" if place in bad else IMAGE) for place in range(count)]


def json_call(name: str, status: int, code: ErrorCode | None = None, **fields: Any) -> Call:
    """Return a call with fields in JSON; bytes among its images as base64."""
    if isinstance(images := fields.get("images"), list):
        encoded = [b64encode(one).decode() if isinstance(one, bytes) else one for one in images]
        fields |= {"images": encoded}
    kind = {"Content-Type": "application/json"}
    return Call(
        name, status, code, params=(), body=json.dumps(fields).encode(), headers=GOOD | kind
    )


BAD, MISSING = ErrorCode.BAD_PARAMETER, ErrorCode.TASK_NOT_FOUND
VERSION = version_of(encode(ADAPTERS["pets"]))
WITHOUT = {"Retry-After": None, "WWW-Authenticate": None}
CALLS = (
    Call("answered", 200, answered={"X-Batch-Rows": "1", "X-Batch-Tasks": "1"} | WITHOUT),
    Call("two tasks", 200, params=[("task", "cars,pets")], answered={"X-Batch-Rows": "2"}),
    Call("one of two", 200, params=[("task", "nope,pets")], answered=WITHOUT),
    Call("none of two", 404, MISSING, params=[("task", "nope,foreign")]),
    Call("top_k", 200, params=[("task", "cars"), ("top_k", "2")]),
    Call("version", 200, params=[("task", "pets"), ("version", VERSION[:6])]),
    Call("embed", 200, params=[("task", "pets"), ("embed", "true")]),
    Call(
        "all numbers", 200,
        params=[("task", "cars,pets"), ("embed", "true"), ("logits", "true"), ("encoding", "list")],
    ),
    Call(
        "attention", 200,
        params=[("task", "cars,pets"), ("attention", "true"), ("encoding", "list")],
    ),
    Call("attention of all", 400, BAD, params=[("task", "pets"), ("attention", "all")]),
    Call("embed twice", 400, BAD, params=[("task", "pets"), ("embed", "true"), ("embed", "true")]),
    Call(
        "embed in a form", 200, params=(),
        form=[("task", b"pets"), ("data", IMAGE), ("embed", b"true")],
    ),
    Call("too many classes", 400, BAD, params=[("task", "wordy"), ("logits", "true")]),
    Call(
        "no such version", 404, ErrorCode.VERSION_NOT_FOUND,
        params=[("task", "pets"), ("version", "0" * 64)],
    ),
    Call("other backbone", 409, ErrorCode.WRONG_BACKBONE, params=[("task", "foreign")]),
    Call("in the header", 200, params=(), headers=GOOD | {"X-Task": "pets"}),
    Call("twice the same", 200, headers=GOOD | {"X-Task": "pets"}),
    Call("twice another", 400, BAD, headers=GOOD | {"X-Task": "cars"}),
    Call("task twice", 400, BAD, params=[("task", "pets"), ("task", "cars")]),
    Call("unknown parameter", 400, BAD, params=[("task", "pets"), ("x", "y")]),
    Call("image in the query", 400, BAD, params=[("task", "pets"), ("data", "x")]),
    Call("no body", 400, ErrorCode.BAD_IMAGE, body=b""),
    Call("form", 200, params=(), form=[("task", b"pets"), ("data", IMAGE)]),
    Call("form and query", 200, form=[("data", IMAGE)]),
    Call(
        "form and header", 200, params=(), form=[("data", IMAGE)],
        headers=GOOD | {"X-Task": "pets"},
    ),
    Call("form, task twice", 400, BAD, form=[("task", b"pets"), ("data", IMAGE)]),
    Call("form, two images", 400, BAD, form=[("data", IMAGE), ("data", IMAGE)]),
    Call("form, two names", 400, BAD, form=[("data", IMAGE), ("body", IMAGE)]),
    Call("form, no image", 400, ErrorCode.BAD_IMAGE, form=[("top_k", b"2")]),
    Call("form, no task", 400, BAD, params=(), form=[("data", IMAGE)]),
    Call("form, unknown field", 400, BAD, form=[("data", IMAGE), ("x", b"y")]),
    Call(
        "no key", 401, ErrorCode.BAD_KEY, headers={}, answered={"WWW-Authenticate": "ApiKey"}
    ),
    Call("no key, no task", 401, ErrorCode.BAD_KEY, headers={}, params=()),
    Call("no key, a form", 401, ErrorCode.BAD_KEY, headers={}, form=[("data", IMAGE)]),
    Call("wrong key", 401, ErrorCode.BAD_KEY, headers={"X-Api-Key": "x"}),
    Call("key of another", 200, headers={"x-api-key": KEYS["pets"].key}),
    Call(
        "forbidden", 403, ErrorCode.FORBIDDEN, params=[("task", "cars")],
        headers={"X-Api-Key": KEYS["pets"].key}, answered={"X-Batch-Rows": "0"},
    ),
    Call(
        "half forbidden", 200, params=[("task", "cars,pets")],
        headers={"X-Api-Key": KEYS["pets"].key}, answered={"X-Batch-Rows": "1"},
    ),
    Call("a list of one", 200, form=listed(1), answered={"X-Batch-Rows": "1"}),
    Call("a list", 200, form=listed(3), answered={"X-Batch-Rows": "3", "X-Batch-Tasks": "1"}),
    Call(
        "images times tasks", 200, params=[("task", "cars,pets")], form=listed(2),
        answered={"X-Batch-Rows": "4", "X-Batch-Tasks": "2"},
    ),
    Call("a list, some bad", 200, form=listed(3, 0, 1), answered=WITHOUT),
    Call("a list, all bad", 400, ErrorCode.BAD_IMAGE, form=listed(2, 0, 1)),
    Call("a list of nobody's", 404, MISSING, params=[("task", "nope")], form=listed(2)),
    Call("a list as long as may be", 200, form=listed(MAX_ROWS_PER_CALL)),
    Call("a list too long", 400, BAD, form=listed(MAX_ROWS_PER_CALL + 1)),
    Call(
        "too many images times tasks", 400, BAD, params=[("task", "cars,pets")],
        form=listed(MAX_ROWS_PER_CALL // 2 + 1),
    ),
    Call("a list and an image", 400, BAD, form=[("data", IMAGE), *listed(1)]),
    Call("a list in the query", 400, BAD, params=[("task", "pets"), ("images", "x")]),
    Call(
        "a list, half forbidden", 200, params=[("task", "cars,pets")], form=listed(2),
        headers={"X-Api-Key": KEYS["pets"].key}, answered={"X-Batch-Rows": "2"},
    ),
    json_call("json", 200, task="pets", images=[IMAGE, IMAGE]),
    json_call("json of one", 200, task="pets", images=[IMAGE]),
    json_call("json with parameters", 200, task="pets", images=[IMAGE], top_k=2, embed=True),
    json_call("json, some bad", 200, task="pets", images=["not base64", 7, None, b"x", IMAGE]),
    json_call("json, all bad", 400, ErrorCode.BAD_IMAGE, task="pets", images=["not base64"]),
    json_call("json, empty", 400, BAD, task="pets", images=[]),
    json_call("json, no list", 400, BAD, task="pets", images="x"),
    json_call("json without images", 400, BAD, task="pets"),
    json_call("json without a task", 400, BAD, images=[IMAGE]),
    json_call("json, an odd task", 400, BAD, task=["pets"], images=[IMAGE]),
    json_call("json, an odd field", 400, BAD, task="pets", images=[IMAGE], x=1),
    json_call("json, a list too long", 400, BAD, task="pets", images=["x"] * 1000),
    replace(json_call("json, task twice", 400, BAD, task="pets", images=[IMAGE]), params=(
        ("task", "pets"),
    )),
    replace(json_call("json, no key", 401, ErrorCode.BAD_KEY, images=[]), headers={
        "Content-Type": "application/json"
    }),
    replace(json_call("json of a list", 400, ErrorCode.BAD_IMAGE), params=(
        ("task", "pets"),
    ), body=b'["eA=="]'),
    *(
        Call(f"params: {case.name}", case.status, case.code, params=case.params)
        for case in hostile.bad_calls("pets")
    ),
    *(
        Call(f"image: {case.name}", case.status, case.code, body=case.data)
        for case in (*hostile.good_images(), *hostile.bad_images())
    ),
)  # fmt: skip

Found = tuple[int, dict[str, str], Any]
Ask = Callable[[Call], Found]


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> ServingConfig:
    folder = tmp_path_factory.mktemp("contract")
    store = DirectoryStore(folder / "store")
    for adapter in ADAPTERS.values():
        store.publish(encode(adapter))
    entries = [one | {"keys": [KEYS[str(one["name"])].digest]} for one in TENANTS]
    (folder / "tenants.json").write_text(json.dumps({"tenants": entries}))
    return ServingConfig(store=store.root, tenants=folder / "tenants.json", max_batch=4)


@pytest.fixture(scope="module")
def tiny() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(serving.build, "load_backbone", lambda *_, **__: BACKBONE)
        patch.delenv("REDIS_URL", raising=False)
        yield


@contextmanager
def torchserve(config: ServingConfig) -> Iterator[Ask]:
    settings = {name: str(getattr(config, name)) for name in ("store", "tenants")}
    handler = Handler()
    handler.initialize(FakeContext(settings=settings | {"max_batch": config.max_batch}))

    def ask(call: Call) -> Found:
        pairs = [(name, value.encode()) for name, value in call.params]
        row = row_of([*pairs, *(call.form or [("body", as_torchserve_has_it(call))])])
        context = FakeContext([call.headers])
        (body,) = handler.handle([row], context)
        return context.statuses[0][0], context.response_headers[0], json.loads(body)

    yield ask
    handler._admission.close()
    handler._engine.close()


def as_torchserve_has_it(call: Call) -> object:
    if call.headers.get("Content-Type") == "application/json":
        with suppress(ValueError):
            return json.loads(call.body)
    return call.body


@contextmanager
def asgi(config: ServingConfig) -> Iterator[Ask]:
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

        def ask(call: Call) -> Found:
            content = (
                {"files": [(name, ("a file", value)) for name, value in call.form]}
                if call.form
                else {"content": call.body}
            )
            answer = http.post(
                "/spt/predict", params=call.params, headers=dict(call.headers), **content
            )
            return answer.status_code, dict(answer.headers), answer.json()

        yield ask


@pytest.fixture(scope="module", params=[torchserve, asgi], ids=["torchserve", "asgi"])
def ask(request: pytest.FixtureRequest, config: ServingConfig, tiny: None) -> Iterator[Ask]:
    with request.param(config) as ask:
        yield ask


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.name)
def test_every_front_answers_alike(ask: Ask, call: Call) -> None:
    status, headers, body = ask(call)
    assert status == call.status, body
    if call.code is not None:
        first = body["results"][0] if "results" in body else body
        first = first["answers"][0] if "answers" in first else first
        assert first["error"]["code"] == call.code
    found = {name.lower(): value for name, value in headers.items()}
    assert found["content-type"] == "application/json"
    assert {name: found.get(name.lower()) for name in call.answered} == call.answered


def test_beyond_the_rate_every_front_says_when_to_ask_again(ask: Ask) -> None:
    call = Call("slow", 200, headers={"X-Api-Key": KEYS["slow"].key})
    assert ask(call)[0] == 200
    status, headers, body = ask(call)
    assert (status, body["error"]["code"]) == (429, ErrorCode.RATE_LIMITED)
    assert {name.lower(): value for name, value in headers.items()}["retry-after"] == "100"


@pytest.mark.parametrize("encoding", [(), [("encoding", "base64")], [("encoding", "list")]])
def test_every_front_answers_with_the_numbers_that_are_asked_for(
    ask: Ask, encoding: Sequence[tuple[str, str]]
) -> None:
    params = [("task", "cars,pets"), ("embed", "true"), ("logits", "true"), *encoding]
    _, _, body = ask(Call("numbers", 200, params=params))
    pixels = to_pixels(decode_image(IMAGE), BACKBONE.preprocessing)
    for answer in body["answers"]:
        adapter = ADAPTERS[answer["task"]]
        feature = reference_feature(BACKBONE.trunk, adapter, pixels)
        logits = adapter.head_weight @ feature + adapter.head_bias
        assert tuple(answer["class_names"]) == adapter.meta.task.class_names
        assert answer.get("unknown") == (True if answer["task"] == "cars" else None)
        for name, expected in (("embedding", feature), ("logits", logits)):
            is_list = encoding == [("encoding", "list")]
            assert isinstance(answer[name], list if is_list else str)
            numbers = tuple(answer[name]) if is_list else answer[name]
            assert floats(numbers) == pytest.approx(expected.tolist(), abs=1e-4)


def test_every_front_tells_who_asks_where_the_model_looks(ask: Ask) -> None:
    params = [("task", "cars,pets"), ("attention", "true")]
    _, _, body = ask(Call("attention", 200, params=params))
    pixels = to_pixels(decode_image(IMAGE), BACKBONE.preprocessing)
    for told in body["answers"]:
        answer = Answer.model_validate(told)
        assert answer.attention is not None
        patches, prompts = reference_looks(BACKBONE.trunk, ADAPTERS[answer.task], pixels)
        assert isinstance(told["attention"]["values"], str)
        assert answer.attention.grid == (2, 2)
        assert floats(answer.attention.values) == pytest.approx(patches.tolist(), abs=1e-4)
        assert answer.attention.prompts == pytest.approx(prompts, abs=1e-4)
        assert (answer.attention.resize, answer.attention.crop) == ("squash", 1.0)


@pytest.mark.parametrize("task", ["several", "number", "ordered", "grouped"])
def test_every_front_answers_for_every_kind_of_target(ask: Ask, task: str) -> None:
    _, _, body = ask(Call("targets", 200, params=[("task", task), ("top_k", "9")]))
    pixels = to_pixels(decode_image(IMAGE), BACKBONE.preprocessing)
    adapter = ADAPTERS[task]
    feature = reference_feature(BACKBONE.trunk, adapter, pixels)
    logits = (adapter.head_weight @ feature + adapter.head_bias).tolist()
    expected = expected_of(adapter, logits)
    scores = {one["index"]: one["score"] for one in body["predictions"]}
    assert scores == pytest.approx(dict(enumerate(expected["scores"])), abs=1e-4)
    assert body.get("target", "single-label") == expected["target"]
    assert set(body.get("labels", ())) == expected.get("labels", set())
    value = expected.get("value")
    assert body.get("value") == (None if value is None else pytest.approx(value, abs=1e-3))
    groups = {one["group"]: one["score"] for one in body.get("groups", ())}
    assert groups == pytest.approx(expected.get("groups", {}), abs=1e-4)


def test_both_answer_with_the_same_numbers(config: ServingConfig, tiny: None) -> None:
    call = Call("both", 200, params=[("task", "cars,pets"), ("top_k", "3")])
    with torchserve(config) as ask_torchserve, asgi(config) as ask_asgi:
        bodies = [ask(call)[2]["answers"] for ask in (ask_torchserve, ask_asgi)]
    for one, other in zip(*bodies, strict=True):
        assert (one["task"], one["version"]) == (other["task"], other["version"])
        for label, known in zip(one["predictions"], other["predictions"], strict=True):
            assert label == known | {"score": pytest.approx(known["score"], abs=1e-5)}
