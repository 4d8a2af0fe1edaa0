"""What observers are told of rows, calls and adapters, in every layout of processes."""

import json
import threading
from collections.abc import Iterator, Sequence

import pytest

from adapters.errors import BadImage
from adapters.vit.adapter import encode
from serving.inference.engine import Engine
from serving.observing.observer import Observer, Phase, Served, Span
from serving.observing.observers import OBSERVERS
from serving.protocol import Answer
from serving.rows.query import Outcome, Query
from serving.runtime.messages import AskedRow
from serving.tracing.origin import Origin
from tests.fakes.artifacts import make_adapter
from tests.fakes.tiny import image_bytes, tiny_backbone
from tests.fakes.tiny_device import LAYOUTS, TinyDevice, engine_in

ORIGIN = Origin("r-1", parent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")


class Hearer(Observer):
    """Notes what it is told."""

    def __init__(self) -> None:
        self.phases: list[tuple[Phase, Span, list[Query]]] = []
        self.calls: list[list[Outcome]] = []
        self.by_version: list[Served] = []
        self.loads: list[tuple[str, Exception | None]] = []

    def phase(self, phase: Phase, span: Span, queries: Sequence[Query]) -> None:
        self.phases.append((phase, span, list(queries)))

    def answered(self, span: Span, queries: Sequence[Query], outcomes: Sequence[Outcome]) -> None:
        assert len(queries) == len(outcomes)
        assert span.seconds > 0
        self.calls.append(list(outcomes))

    def served(self, rows: Sequence[Served]) -> None:
        self.by_version += rows

    def loaded(self, span: Span, task: str, version: str, error: Exception | None) -> None:
        assert span.seconds > 0
        assert len(version) == 64
        self.loads.append((task, error))


@pytest.fixture
def hearer() -> Iterator[Hearer]:
    hearer = Hearer()
    with OBSERVERS.hearing(hearer):
        yield hearer


@pytest.fixture
def device(tmp_path):
    device = TinyDevice(tmp_path)
    yield device
    device.close()


@pytest.fixture(params=LAYOUTS)
def engine(request, tmp_path, device):
    engine = engine_in(request.param, tmp_path, device)
    yield engine
    engine.close()


def test_each_phase_is_told_with_the_origin_of_its_rows(engine, hearer):
    queries = [Query(image_bytes(i), f"task{i}", origin=ORIGIN) for i in range(2)]
    outcomes = engine.predict(queries)

    assert all(isinstance(one, Answer) for one in outcomes)
    assert hearer.calls == [outcomes]
    phases = {phase: (span, asked) for phase, span, asked in hearer.phases}
    waits = set() if isinstance(engine, Engine) else {"queue"}
    assert phases.keys() == {"decode", "lookup", "load", "forward"} | waits
    for span, asked in phases.values():
        assert 0 <= span.seconds < 60
        assert {query.origin for query in asked} == {ORIGIN}
        assert {query.task for query in asked} == {"task0", "task1"}
    assert phases["lookup"][0].begin_s <= phases["load"][0].begin_s
    assert phases["load"][0].end_s <= phases["forward"][0].end_s
    assert sorted(hearer.loads) == [("task0", None), ("task1", None)]
    assert hearer.by_version == []


def test_rows_that_fail_are_told_with_their_errors(engine, hearer):
    good, bad, nobody = (
        Query(image_bytes(0), "task0"),
        Query(b"no image", "task0"),
        Query(image_bytes(0), "nobody"),
    )
    outcomes = engine.predict([good, bad, nobody])

    assert [isinstance(one, Answer) for one in outcomes] == [True, False, False]
    (told,) = hearer.calls
    assert told == outcomes
    assert isinstance(told[1], BadImage)


def test_roles_are_told_where_a_task_has_a_canary(engine, hearer, device, tmp_path):
    source = device.core._source
    current = source.current("task0").version
    canary = encode(make_adapter("task0", seed=7, backbone=tiny_backbone().spec))
    found = source.publish(canary, canary=0.5)
    assert found.canary is not None
    outcomes = engine.predict([Query(image_bytes(i), "task0") for i in range(16)])

    assert all(isinstance(one, Answer) for one in outcomes)
    roles = {(one.version, one.role) for one in hearer.by_version}
    assert roles == {(current, "current"), (found.canary.version, "canary")}
    assert len(hearer.by_version) == 16
    assert all(0 < one.span.seconds < 60 for one in hearer.by_version)


def test_a_canary_that_cannot_be_loaded_is_told_for_each_row_that_it_should_answer(
    engine, hearer, device, tmp_path
):
    canary = encode(make_adapter("task0", seed=7, backbone=tiny_backbone().spec))
    found = device.core._source.publish(canary, canary=0.99)
    (path,) = (tmp_path / "store").rglob(f"{found.canary.version}*.safetensors")
    path.write_bytes(b"damaged")
    first = engine.predict([Query(image_bytes(0), "task0")])
    again = engine.predict([Query(image_bytes(0), "task0")])

    assert [one.version for one in (*first, *again)] == [found.version] * 2
    canaries = [one for one in hearer.by_version if one.role == "canary"]
    assert len(canaries) == 2
    assert all(isinstance(one.outcome, Exception) for one in canaries)


def test_nobody_who_observes_hurts_a_row(engine, caplog):
    class Broken(Hearer):
        def answered(self, *_: object) -> None:
            raise RuntimeError("a fault of the observer's")

    with OBSERVERS.hearing(Broken()):
        (outcome,) = engine.predict([Query(image_bytes(0), "task0")])

    assert isinstance(outcome, Answer)
    assert "an observer has failed" in caplog.text
    assert not OBSERVERS


def test_a_row_without_an_origin_says_nothing_of_one():
    plain = AskedRow(task="pets", version=None, top_k=5)
    assert "origin" not in json.loads(plain.model_dump_json())


def test_observers_may_come_and_go_from_any_thread():
    hearers = [Hearer() for _ in range(8)]

    def come_and_go(hearer: Hearer) -> None:
        for _ in range(100):
            with OBSERVERS.hearing(hearer):
                OBSERVERS.phase("queue", 0.0, [Query(b"", "task0")])

    threads = [threading.Thread(target=come_and_go, args=(one,)) for one in hearers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not OBSERVERS
    assert all(len(hearer.phases) >= 100 for hearer in hearers)
