"""The glue to TorchServe: every row has its own status and body, and rows never mix."""

import inspect
import json
import logging
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

import serving.build
import serving.handler
from adapters.artifact.codec import version_of
from adapters.errors import SptError
from adapters.store.directory import DirectoryStore
from adapters.vit.adapter import encode
from serving.config import ServingConfig
from serving.errors import ConfigError
from serving.handler import Handler
from serving.health.heartbeat import Heartbeat
from serving.health.vitals import Vitals
from serving.inference.engine import Outcome, Query
from serving.protocol import (
    BATCH_ID_HEADER,
    BATCH_ROWS_HEADER,
    BATCH_TASKS_HEADER,
    HTTP_STATUS,
    TASK_HEADER,
    Answer,
    ErrorCode,
    Failure,
    LabelScore,
    MultiAnswer,
)
from serving.torchserve.management import PULSE
from serving.trunk import lost_device
from tests.fakes import hostile
from tests.fakes.artifacts import make_adapter, make_spec
from tests.fakes.context import FakeContext
from tests.fakes.tiny import image_bytes, tiny_backbone

BACKBONE = tiny_backbone()
ADAPTERS = {
    "pets": make_adapter("pets", classes=3, backbone=BACKBONE.spec),
    "cars": make_adapter("cars", classes=9, backbone=BACKBONE.spec, prompts=2, seed=1),
    "plain": make_adapter("plain", classes=2, backbone=BACKBONE.spec, method="linear", seed=2),
    "foreign": make_adapter("foreign", backbone=make_spec(name="another")),
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> DirectoryStore:
    store = DirectoryStore(tmp_path_factory.mktemp("store"))
    for adapter in ADAPTERS.values():
        store.publish(encode(adapter))
    return store


def initialised(settings: dict[str, Any]) -> Handler:
    """Return a handler as TorchServe would have it, on the tiny backbone."""
    handler = Handler()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(serving.build, "load_backbone", lambda *_, **__: BACKBONE)
        patch.delenv("REDIS_URL", raising=False)
        handler.initialize(FakeContext(settings=settings))
    return handler


@pytest.fixture(scope="module")
def handler(store: DirectoryStore) -> Handler:
    return initialised({"store": str(store.root), "max_batch": 4})


def row(task: str | None, image: bytes = image_bytes(0), **params: str) -> dict[str, Any]:
    named = {"task": task} | params if task is not None else params
    return {key: bytearray(value.encode()) for key, value in named.items()} | {"body": image}


def handled(handler: Handler, rows: list[dict[str, Any]]) -> tuple[list[Any], FakeContext]:
    """Return each row's status and parsed body, and the context."""
    context = FakeContext([{} for _ in rows])
    bodies = handler.handle(rows, context)
    assert len(bodies) == len(rows)
    assert all(type(body) is bytes for body in bodies)
    assert sorted(context.statuses) == list(range(len(rows)))
    return [(context.statuses[i][0], json.loads(body)) for i, body in enumerate(bodies)], context


def answer_of(found: tuple[int, Any]) -> Answer:
    assert found[0] == 200, found
    return Answer.model_validate(found[1])


def test_the_module_defines_exactly_one_class() -> None:
    members = inspect.getmembers(serving.handler, inspect.isclass)
    assert [c for _, c in members if c.__module__ == serving.handler.__name__] == [Handler]


def test_an_answer_names_its_task_and_version_and_its_classes_best_first(handler: Handler) -> None:
    (found,), context = handled(handler, [row("cars", top_k="4")])
    answer = answer_of(found)
    assert (answer.task, answer.version) == ("cars", version_of(encode(ADAPTERS["cars"])))
    scores = [p.score for p in answer.predictions]
    assert (len(scores), sorted(scores, reverse=True)) == (4, scores)
    assert [p.label for p in answer.predictions] == [f"class-{p.index}" for p in answer.predictions]
    assert context.statuses[0] == (200, "OK")


def test_top_k_beyond_the_classes_gives_them_all_and_they_sum_to_one(handler: Handler) -> None:
    (found,), _ = handled(handler, [row("pets", top_k="1000")])
    predictions = answer_of(found).predictions
    assert sorted(p.index for p in predictions) == [0, 1, 2]
    assert sum(p.score for p in predictions) == pytest.approx(1)


@pytest.mark.parametrize("position", [0, 3, 7])
@pytest.mark.parametrize(
    "bad",
    [
        row("pets", b"no image"),
        row("no-such-task"),
        row("../../etc/passwd"),
        row(None),
        row("foreign"),
        row("pets", top_k="-1"),
        {"task": bytearray(b"pets"), "body": {"a": "json object"}},
        {},
    ],
    ids=["image", "unknown", "climbing", "missing", "foreign", "top_k", "json", "nothing"],
)
def test_one_bad_row_in_eight_leaves_the_other_seven_untouched(
    handler: Handler, bad: dict[str, Any], position: int
) -> None:
    good = [row(task, image_bytes(i)) for i, task in enumerate(["pets", "cars", "plain"] * 2)]
    rows = [*good, row("cars", image_bytes(6))]
    alone = [handled(handler, [one])[0][0] for one in rows]
    mixed, _ = handled(handler, [*rows[:position], bad, *rows[position:]])
    status, body = mixed.pop(position)
    assert 400 <= status < 500
    assert HTTP_STATUS[Failure.model_validate(body).error.code] == status
    assert_same_answers(mixed, alone)


def assert_same_answers(found: Sequence[Any], expected: Sequence[Any]) -> None:
    for one, other in zip(map(answer_of, found), map(answer_of, expected), strict=True):
        assert (one.task, one.version) == (other.task, other.version)
        labels, scores = labels_and_scores(one)
        assert labels == labels_and_scores(other)[0]
        assert scores == pytest.approx(labels_and_scores(other)[1], abs=1e-5)


def labels_and_scores(answer: Answer) -> tuple[list[str], list[float]]:
    return [p.label for p in answer.predictions], [p.score for p in answer.predictions]


def test_every_hostile_row_in_one_batch_has_its_own_outcome(handler: Handler) -> None:
    images = [*hostile.bad_images(), *hostile.good_images()]
    calls = hostile.bad_calls("pets")
    rows = [row("pets", case.data) for case in images]
    rows += [row(**({"task": None} | dict(call.params))) for call in calls]
    found, _ = handled(handler, rows)
    for case, (status, body) in zip([*images, *calls], found, strict=True):
        assert status == case.status, (case.name, body)
        if case.code is not None:
            assert body["error"]["code"] == case.code, case.name


def test_a_call_for_several_tasks_has_an_entry_for_each_in_order(handler: Handler) -> None:
    image = image_bytes(3)
    (found, *alone), _ = handled(
        handler,
        [row("cars,pets,plain", image), *(row(t, image) for t in ("cars", "pets", "plain"))],
    )
    entries = MultiAnswer.model_validate(found[1]).answers
    assert_same_answers([(200, e.model_dump()) for e in entries], alone)


def test_a_call_for_several_tasks_succeeds_if_one_does(handler: Handler) -> None:
    (found,), _ = handled(handler, [row("no-such-task,pets,foreign")])
    status, body = found
    entries = MultiAnswer.model_validate(body).answers
    kinds = [e.error.code if isinstance(e, Failure) else e.task for e in entries]
    assert (status, kinds) == (
        200,
        [ErrorCode.TASK_NOT_FOUND, "pets", ErrorCode.WRONG_BACKBONE],
    )


def test_a_call_for_several_tasks_that_all_fail_has_the_first_ones_status(handler: Handler) -> None:
    found, _ = handled(handler, [row("foreign,no-such-task"), row("no-such-task,foreign")])
    assert [status for status, _ in found] == [409, 404]
    assert all(len(MultiAnswer.model_validate(body).answers) == 2 for _, body in found)


def test_the_task_may_come_in_the_header(handler: Handler) -> None:
    context = FakeContext([{TASK_HEADER: "pets"}, {"x-other": "cars"}])
    bodies = handler.handle([{"body": image_bytes(0)}, {"body": image_bytes(0)}], context)
    assert [context.statuses[i][0] for i in range(2)] == [200, 400]
    assert json.loads(bodies[0])["task"] == "pets"


def test_a_version_may_be_pinned_and_named_by_its_beginning(handler: Handler) -> None:
    version = version_of(encode(ADAPTERS["pets"]))
    found, _ = handled(handler, [row("pets", version=v) for v in (version, version[:6], "0" * 64)])
    assert [status for status, _ in found] == [200, 200, 404]
    assert answer_of(found[1]).version == version


def test_every_row_says_which_batch_it_was_in(handler: Handler) -> None:
    _, context = handled(handler, [row("pets"), row("cars,pets"), row(None)])
    headers = [context.response_headers[i] for i in range(3)]
    assert len({h[BATCH_ID_HEADER] for h in headers}) == 1
    assert {(h[BATCH_ROWS_HEADER], h[BATCH_TASKS_HEADER]) for h in headers} == {("3", "2")}
    assert {h["content-type"] for h in headers} == {"application/json"}
    _, later = handled(handler, [row("pets")])
    assert later.response_headers[0][BATCH_ID_HEADER] != headers[0][BATCH_ID_HEADER]


@pytest.mark.parametrize("size", [1, 2, 7, 33])
def test_a_batch_of_any_size_has_one_answer_for_each_row_in_order(
    handler: Handler, size: int
) -> None:
    tasks = [("pets", "cars", "plain")[i % 3] for i in range(size)]
    found, _ = handled(handler, [row(t, image_bytes(i)) for i, t in enumerate(tasks)])
    assert [answer_of(one).task for one in found] == tasks


def test_a_batch_of_bad_rows_alone_is_answered(handler: Handler) -> None:
    found, context = handled(handler, [row(None), row("pets", b"")])
    assert [status for status, _ in found] == [400, 400]
    assert context.response_headers[0][BATCH_ROWS_HEADER] == "1"


class FailingEngine:
    """Answers, but for one task that meets a fault nobody foresaw."""

    def predict(self, queries: Sequence[Query]) -> list[Outcome]:
        label = LabelScore(label="x", index=0, score=1.0)
        answers = [Answer(task=q.task, version="0" * 64, predictions=(label,)) for q in queries]
        fault = RuntimeError("CUDA error at /srv/secret.py:1")
        return [fault if q.task == "unlucky" else a for q, a in zip(queries, answers, strict=True)]


def test_a_fault_of_ours_is_that_rows_500_and_keeps_its_secrets(
    handler: Handler, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(handler, "_engine", FailingEngine())
    found, context = handled(handler, [row("pets"), row("unlucky"), row("pets")])
    assert [status for status, _ in found] == [200, 500, 200]
    assert "secret" not in json.dumps(found)
    assert context.statuses[1] == (500, "Internal Server Error")
    assert [r.levelno for r in caplog.records] == [logging.ERROR]


def test_a_damaged_artifact_is_a_500_of_its_own_task_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = DirectoryStore(tmp_path)
    version = store.publish(encode(ADAPTERS["pets"])).version
    store.publish(encode(ADAPTERS["cars"]))
    (tmp_path / "pets" / "versions" / f"{version}.safetensors").write_bytes(b"rubbish")
    handler = initialised({"store": str(tmp_path), "max_batch": 2})
    found, _ = handled(handler, [row("pets"), row("cars")])
    assert [status for status, _ in found] == [500, 200]
    assert found[0][1]["error"]["code"] == ErrorCode.ADAPTER_DAMAGED
    assert str(tmp_path) not in json.dumps(found)
    assert str(tmp_path) in caplog.text


def test_a_failed_warm_up_keeps_the_worker_from_becoming_ready(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def explode(*_: object, **__: object) -> None:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(serving.build.Core, "warm_up", explode)
    with pytest.raises(RuntimeError, match="out of memory"):
        initialised({"max_batch": 2})


def test_a_wrong_setting_keeps_the_worker_from_becoming_ready() -> None:
    with pytest.raises(ConfigError, match="batch_sise"):
        initialised({"batch_sise": 2})


def test_an_unknown_backbone_keeps_the_worker_from_becoming_ready() -> None:
    context = FakeContext(settings={"backbone": "resnet50"})
    with pytest.raises(SptError, match="resnet50"):
        Handler().initialize(context)


def test_a_lost_device_is_503_for_every_row_one_traceback_and_the_workers_end(
    store: DirectoryStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    handler = initialised({"store": str(store.root), "max_batch": 4})
    ended = threading.Event()
    monkeypatch.setattr(lost_device, "_told", threading.Event())
    handler._vitals = Vitals(Heartbeat(None), handler._engine.probe, lambda _: ended.set())

    def lose(*_: object) -> None:
        raise torch.AcceleratorError("CUDA error: an illegal memory access was encountered")

    monkeypatch.setattr(handler._engine.core.backend, "features", lose)
    rows = [row(task, image_bytes(i)) for i, task in enumerate(["pets", "cars", "plain"] * 3)]
    for _ in range(2):  # those that come in meanwhile are refused alike
        found, context = handled(handler, rows)
        assert {status for status, _ in found} == {503}
        assert all(float(one["Retry-After"]) > 0 for one in context.response_headers.values())
    assert [record.name for record in caplog.records if record.exc_info] == [lost_device.__name__]
    assert ended.wait(10)


def test_a_pulse_computes_a_row_and_describes_nothing(handler: Handler) -> None:
    before = handler._vitals.heartbeat.age_s
    context = FakeContext([{"describe": "True", TASK_HEADER: PULSE}])
    assert handler.handle([{}], context) == [b"{}"]
    assert handler._vitals.heartbeat.age_s < before


def test_a_front_keeps_the_memory_that_an_image_was_decoded_in(
    store: DirectoryStore, monkeypatch: pytest.MonkeyPatch
):
    steps: list[str] = []
    for step in ("disable_malloc_trim", "build_front_engine"):
        monkeypatch.setattr(serving.handler, step, lambda *_, step=step: steps.append(step))
    serving.handler._engine(ServingConfig(store=store.root, front_workers=2), None)
    assert steps == ["disable_malloc_trim", "build_front_engine"]
