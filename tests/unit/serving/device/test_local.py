"""A device in the front's own process answers as one of another process does."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from adapters.errors import BadImage, TaskNotFound
from serving.deadline import Deadline
from serving.decoding.decoder import DecoderSettings
from serving.device.local import LocalDevice, LocalSeats
from serving.errors import DeviceAway
from serving.inference.engine import Engine
from serving.protocol import Answer
from serving.rows.query import Query
from serving.runtime.front_engine import FrontEngine
from tests.fakes.tiny import image_bytes
from tests.fakes.tiny_device import TinyDevice

PATIENCE_S = 60.0

Front = FrontEngine[LocalSeats]


@pytest.fixture
def tiny(tmp_path: Path) -> TinyDevice:
    return TinyDevice(tmp_path)


@pytest.fixture
def front(tiny: TinyDevice) -> Iterator[Front]:
    device = LocalDevice(tiny.device, tiny.core)
    front = FrontEngine(device, DecoderSettings(threads=2), PATIENCE_S)
    yield front
    front.close()
    tiny.server.close()


def told(outcome: object) -> tuple[object, ...]:
    assert isinstance(outcome, Answer), outcome
    scores = [(one.label, pytest.approx(one.score, abs=1e-5)) for one in outcome.predictions]
    return outcome.task, outcome.version, scores


def some_queries(rows: int) -> list[Query]:
    return [Query(image_bytes(i // 2), f"task{i % 2}") for i in range(rows)]


def test_many_calls_at_once_are_answered_as_one_engine_answers(
    front: Front, tiny: TinyDevice
) -> None:
    queries = some_queries(10)
    known = list(map(told, Engine(tiny.core).predict(queries)))
    with ThreadPoolExecutor(8) as callers:
        for found in callers.map(front.predict, [queries] * 24):
            assert list(map(told, found)) == known


def test_one_bad_row_leaves_the_others_untouched(front: Front) -> None:
    good = some_queries(3)
    found = front.predict([Query(b"no image", "task0"), *good, Query(image_bytes(0), "nope")])
    assert [type(one) for one in found] == [BadImage, Answer, Answer, Answer, TaskNotFound]
    assert [type(one) for one in front.predict([Query(b"no image", "task0")])] == [BadImage]


def test_a_device_that_does_not_answer_in_time_is_given_up(front: Front, tiny: TinyDevice) -> None:
    device, may_go_on = LocalDevice(tiny.device, tiny.core), threading.Event()
    tiny.device.run(lambda: bool(may_go_on.wait(PATIENCE_S)))
    seats = device.seat(some_queries(1), Deadline.after(PATIENCE_S))
    pictures = front._decode(some_queries(1), {0: seats.rows[0]})
    with pytest.raises(DeviceAway):
        device.compute(seats, pictures, Deadline.after(0.0))
    assert seats.call.outcomes.result(PATIENCE_S).keys() == {0}
    may_go_on.set()
    assert isinstance(front.predict(some_queries(1))[0], Answer)


def test_a_probe_tells_what_keeps_the_device_from_computing(
    front: Front, tiny: TinyDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    front.probe()

    def fail() -> None:
        raise MemoryError("no room")

    monkeypatch.setattr(tiny.core, "probe", fail)
    with pytest.raises(MemoryError, match="no room"):
        front.probe()


def test_it_says_what_it_serves(front: Front) -> None:
    assert front.describe().tasks.keys() == {"task0", "task1"}
