"""Keys, limits and signatures through the whole handler: what a caller sees of them."""

import json
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import serving.build
from adapters.artifact import codec
from adapters.artifact.codec import version_of
from adapters.errors import KeyFileInvalid
from adapters.store.directory import DirectoryStore
from adapters.trust.envelope import sign
from adapters.trust.keys import generate_key, load_private_key
from adapters.trust.statement import statement
from adapters.vit.adapter import encode
from serving.door.tenants import make_key
from serving.errors import ConfigError
from serving.handler import Handler
from serving.protocol import BATCH_ROWS_HEADER, ErrorCode, Failure
from tests.fakes.artifacts import make_adapter
from tests.fakes.context import FakeContext
from tests.fakes.embedded_signature import sign_inside
from tests.fakes.tiny import image_bytes, tiny_backbone

BACKBONE = tiny_backbone()
KEYS = {name: make_key() for name in ("a", "b", "slow")}
TENANTS = [
    {"name": "a", "tasks": ["pets", "a-*"], "requests_per_s": 10_000, "burst": 10_000},
    {"name": "b", "tasks": ["cars"], "requests_per_s": 10_000, "burst": 10_000},
    {"name": "slow", "tasks": ["*"], "requests_per_s": 0.01, "burst": 2},
]
IMAGE = image_bytes(0)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> DirectoryStore:
    store = DirectoryStore(tmp_path_factory.mktemp("store"))
    for name in ("pets", "cars"):
        store.publish(encode(make_adapter(name, backbone=BACKBONE.spec)))
    return store


Start = Callable[..., Handler]


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch, store: DirectoryStore) -> Iterator[Start]:
    """Start handlers as TorchServe would, on the tiny backbone and without Redis."""
    monkeypatch.setattr(serving.build, "load_backbone", lambda *_, **__: BACKBONE)
    monkeypatch.delenv("REDIS_URL", raising=False)

    closing: list[Callable[[], None]] = []

    def started(**settings: Any) -> Handler:
        handler = Handler()
        handler.initialize(FakeContext(settings={"store": str(store.root)} | settings))
        closing.extend([handler._admission.close, handler._engine.close])
        return handler

    yield started
    for close in closing:
        close()


@pytest.fixture
def tenants(tmp_path: Path) -> Path:
    entries = [tenant | {"keys": [KEYS[str(tenant["name"])].digest]} for tenant in TENANTS]
    path = tmp_path / "tenants.json"
    path.write_text(json.dumps({"tenants": entries}))
    return path


@pytest.fixture
def handler(start: Start, tenants: Path) -> Handler:
    return start(tenants=str(tenants))


def ask(
    handler: Handler, *calls: tuple[str | None, str], header: str = "X-Api-Key"
) -> tuple[list[int], list[Any], FakeContext]:
    """Return statuses and bodies of calls, each with the name of a key and tasks."""
    shown = [{} if name is None else {header: key_of(name)} for name, _ in calls]
    context = FakeContext(shown)
    rows = [{"task": bytearray(tasks.encode()), "body": IMAGE} for _, tasks in calls]
    bodies = [json.loads(body) for body in handler.handle(rows, context)]
    return [context.statuses[i][0] for i in range(len(calls))], bodies, context


def key_of(name: str) -> str:
    return KEYS[name].key if name in KEYS else name


def codes(bodies: list[Any]) -> list[str]:
    return [Failure.model_validate(body).error.code for body in bodies]


def test_each_key_asks_its_own_tasks_beside_those_who_may_not(handler: Handler) -> None:
    calls = (("a", "pets"), ("a", "cars"), ("b", "cars"), (None, "pets"), ("wrong", "pets"))
    statuses, bodies, context = ask(handler, *calls)
    assert statuses == [200, 403, 200, 401, 401]
    assert codes([bodies[1], bodies[3]]) == [ErrorCode.FORBIDDEN, ErrorCode.BAD_KEY]
    assert [bodies[i]["task"] for i in (0, 2)] == ["pets", "cars"]
    assert context.response_headers[3]["WWW-Authenticate"] == "ApiKey"
    assert context.response_headers[0][BATCH_ROWS_HEADER] == "2"


@pytest.mark.parametrize("header", ["X-Api-Key", "x-api-key", "X-API-Key", "X-API-KEY"])
def test_the_header_may_be_spelt_as_libraries_spell_it(handler: Handler, header: str) -> None:
    assert ask(handler, ("a", "pets"), header=header)[0] == [200]


def test_two_different_keys_are_none(handler: Handler) -> None:
    context = FakeContext([{"X-Api-Key": key_of("a"), "x-api-key": key_of("b")}])
    handler.handle([{"task": bytearray(b"pets"), "body": IMAGE}], context)
    assert context.statuses[0][0] == 401


def test_a_key_in_the_query_is_no_key(handler: Handler) -> None:
    # TorchServe keeps a parameter's content type among the headers, under the parameter's name
    context = FakeContext([{"X-Api-Key": {"content-type": ""}}])
    handler.handle([{"task": bytearray(b"pets"), "body": IMAGE}], context)
    assert context.statuses[0][0] == 401


def test_a_task_that_exists_and_one_that_does_not_are_forbidden_alike(handler: Handler) -> None:
    statuses, bodies, _ = ask(handler, ("b", "pets"), ("b", "nope"), ("a", "a-nope"))
    assert statuses == [403, 403, 404]
    messages = [body["error"]["message"] for body in bodies[:2]]
    assert messages[0].replace("pets", "?") == messages[1].replace("nope", "?")
    assert bodies[0].keys() == bodies[1].keys()


def test_an_existing_task_is_forbidden_in_the_time_of_one_that_does_not_exist(
    handler: Handler,
) -> None:
    spent: dict[str, list[float]] = {"pets": [], "nope": []}
    for _ in range(200):
        for task, times in spent.items():
            began = time.perf_counter()
            ask(handler, ("b", task))
            times.append(time.perf_counter() - began)
    pets, nope = (statistics.median(times) for times in spent.values())
    assert 0.5 < pets / nope < 2


def test_a_refused_row_is_never_looked_up_nor_decoded(
    handler: Handler, monkeypatch: pytest.MonkeyPatch
) -> None:
    class NoEngine:
        def predict(self, queries: list[Any]) -> list[Any]:
            assert queries == []
            return []

    monkeypatch.setattr(handler, "_engine", NoEngine())
    assert ask(handler, ("b", "pets"), (None, "pets"), ("slow", "x," * 3 + "!"))[0] == [
        403,
        401,
        400,
    ]


def test_beyond_the_rate_a_row_is_told_when_to_ask_again_and_others_are_answered(
    handler: Handler,
) -> None:
    statuses, bodies, context = ask(handler, *[("slow", "pets")] * 4, ("a", "pets"))
    assert statuses == [200, 200, 429, 429, 200]
    error = Failure.model_validate(bodies[2]).error
    assert (error.code, error.task) == (ErrorCode.RATE_LIMITED, "pets")
    assert error.retry_after_s is not None
    assert 99 < error.retry_after_s <= 100
    assert context.response_headers[2]["Retry-After"] == "100"
    assert "Retry-After" not in context.response_headers[4]


def test_one_call_may_mix_answers_and_every_refusal(handler: Handler) -> None:
    statuses, bodies, context = ask(handler, ("slow", "pets,nope,cars"), ("b", "pets,cars"))
    assert statuses == [200, 200]
    first, second = (body["answers"] for body in bodies)
    assert [entry.get("task") or entry["error"]["code"] for entry in first] == [
        "pets",
        ErrorCode.TASK_NOT_FOUND,
        ErrorCode.RATE_LIMITED,
    ]
    assert [entry.get("task") or entry["error"]["code"] for entry in second] == [
        ErrorCode.FORBIDDEN,
        "cars",
    ]
    assert "Retry-After" not in context.response_headers[0]


def test_a_call_of_several_tasks_that_are_all_beyond_the_rate_is_a_429(handler: Handler) -> None:
    ask(handler, ("slow", "cars,pets"))
    statuses, _, context = ask(handler, ("slow", "pets,cars"))
    assert statuses == [429]
    assert context.response_headers[0]["Retry-After"] == "100"


def test_without_tenants_a_key_is_neither_wanted_nor_looked_at(start: Start) -> None:
    assert ask(start(), (None, "pets"), ("wrong", "cars"))[0] == [200, 200]


def test_a_wrong_file_of_tenants_keeps_the_worker_from_becoming_ready(
    start: Start, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=r"none\.json"):
        start(tenants=str(tmp_path / "none.json"))


def test_a_service_that_trusts_a_key_serves_what_it_has_signed_and_says_so_of_the_rest(
    start: Start, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    private, public = generate_key(tmp_path / "release")
    key, stranger = load_private_key(private), Ed25519PrivateKey.generate()
    store = DirectoryStore(tmp_path / "store")
    tasks = ("signed", "inside", "unsigned", "strangers", "team-b")
    data = {name: encode(make_adapter(name, backbone=BACKBONE.spec)) for name in tasks}
    data["inside"] = sign_inside(data["inside"], key)
    for name, signer in {"signed": key, "strangers": stranger, "team-b": key}.items():
        store.publish(data[name], envelope=sign(statement(name, version_of(data[name])), signer))
    store.publish(data["inside"])
    store.publish(data["unsigned"])
    trusted = {"key": str(public), "tasks": ["s*", "un*", "in*"]}
    handler = start(store=str(store.root), trusted_keys=[trusted])
    statuses, bodies, _ = ask(handler, *((None, task) for task in tasks))
    assert statuses == [200, 200, 500, 500, 500]
    assert codes(bodies[2:]) == [ErrorCode.ADAPTER_NOT_TRUSTED] * 3
    assert str(tmp_path) not in json.dumps(bodies)
    assert "found none" in caplog.text
    assert "team-b: no key is trusted for this task" in caplog.text


def test_a_service_goes_on_through_a_rotation_and_no_version_changes(
    start: Start, tmp_path: Path
) -> None:
    (old, old_public), (new, new_public) = (generate_key(tmp_path / n) for n in ("old", "new"))
    store = DirectoryStore(tmp_path / "store")
    data = encode(make_adapter("pets", backbone=BACKBONE.spec))
    payload = statement("pets", version_of(data))
    before = store.publish(data, envelope=sign(payload, load_private_key(old)))
    answers = []
    for trusted in ([old_public], [old_public, new_public], [new_public]):
        if trusted == [new_public]:
            store.add_signatures("pets", before.version, sign(payload, load_private_key(new)))
        handler = start(store=str(store.root), trusted_keys=list(map(str, trusted)))
        statuses, bodies, _ = ask(handler, (None, "pets"))
        assert statuses == [200]
        answers.append(bodies[0])
    assert store.current("pets") == before
    assert all(answer == answers[0] for answer in answers)


def test_the_signed_version_before_unsigned_ones_answers_and_those_are_never_parsed(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    private, public = generate_key(tmp_path / "release")
    store = DirectoryStore(tmp_path / "store")
    versions = []
    for seed in range(3):
        data = encode(make_adapter("pets", seed=seed, backbone=BACKBONE.spec))
        store.publish(data)
        versions.append(version_of(data))
    envelope = sign(statement("pets", versions[0]), load_private_key(private))
    store.add_signatures("pets", versions[0], envelope)
    parsed, real = set[str](), codec._read_header

    def noted(data: bytes) -> Any:
        parsed.add(version_of(data))
        return real(data)

    monkeypatch.setattr(codec, "_read_header", noted)
    trusted = {"key": str(public), "embedded": False}
    handler = start(store=str(store.root), trusted_keys=[trusted])
    statuses, (body,), _ = ask(handler, (None, "pets"))
    assert (statuses, body["version"]) == ([200], versions[0])
    assert parsed == {versions[0]}


def test_a_private_key_or_none_is_nothing_to_trust(start: Start, tmp_path: Path) -> None:
    private, _ = generate_key(tmp_path / "release")
    for path in (private, tmp_path / "none.pem"):
        with pytest.raises(KeyFileInvalid):
            start(trusted_keys=[str(path)])
