"""Copies wait in a short queue, are computed or dropped or fail, and each is counted once."""

from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest

from adapters.errors import ArtifactCorrupt
from adapters.images.crop import Picture
from adapters.store.record import Shadow
from serving.protocol import Answer
from serving.rows.query import Query
from serving.rows.resident import AdapterKey, make_resident
from serving.rows.row import Row
from serving.shadow import shadows
from serving.shadow.shadows import MOST_WAITING, RETRY_S, Shadows
from serving.trunk.cpu import CpuBackend
from tests.fakes.artifacts import make_adapter
from tests.fakes.rows import KEY
from tests.fakes.tiny import tiny_backbone

VERSION = "b" * 64
SHADOW = AdapterKey(KEY.task, VERSION)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Bank:
    """Has what it is told to have."""

    def __init__(self, found) -> None:
        self.found = found
        self.asked = []

    @contextmanager
    def spare_lease(self, key, num_bytes):
        self.asked.append((key, num_bytes))
        yield self.found


@pytest.fixture(scope="module")
def backend():
    return CpuBackend(tiny_backbone())


@pytest.fixture(scope="module")
def resident(backend):
    return make_resident(make_adapter(backbone=backend.backbone.spec), backend.backbone)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def bank(resident):
    return Bank(resident)


@pytest.fixture
def waiting(backend, bank, clock):
    return Shadows(backend, bank, clock)


def answered(resident, label="class-0", version=VERSION, size=16):
    row = Row(Query(b"", KEY.task))
    row.key, row.resident = KEY, resident
    row.picture = Picture(np.zeros((size, size, 3), np.uint8), is_whole=False)
    row.shadow = Shadow(version=version, share=1.0)
    found = {"label": label, "index": 0, "score": 0.5}
    row.outcome = Answer(task=KEY.task, version=KEY.version, predictions=(found,))
    return row


def rows_of(waiting, version=VERSION):
    counts = waiting.tally.of(AdapterKey(KEY.task, version))
    return {} if counts is None else dict(counts.rows)


def test_nothing_is_due_until_a_row_is_copied(waiting, resident):
    assert waiting.due_in_s is None
    plain = answered(resident)
    plain.shadow = None
    waiting.offer([plain])
    assert waiting.due_in_s is None
    waiting.offer([answered(resident)])
    assert waiting.due_in_s == 0


def test_on_the_cpu_one_copy_is_computed_at_a_time_and_then_there_is_rest(
    waiting, resident, clock, bank, monkeypatch
):
    labels = {answered(resident, f"class-{i}").outcome.predictions[0].label for i in range(3)}
    waiting.offer([answered(resident, label) for label in sorted(labels)])
    launch = shadows.launch

    def slow(*args):
        clock.now += 1.0
        return launch(*args)

    monkeypatch.setattr(shadows, "launch", slow)
    waiting.compute()
    assert sum(rows_of(waiting).values()) == 1
    assert waiting.due_in_s == pytest.approx(shadows.REST)
    clock.now += shadows.REST
    waiting.compute()
    waiting.compute()
    assert waiting.due_in_s is None
    assert sorted(rows_of(waiting).items()) == [("other", 2), ("same", 1)]
    assert waiting.tally.of(SHADOW).seconds == pytest.approx(3.0)
    assert bank.asked == [(SHADOW, resident.num_bytes)] * 3


def test_what_finds_no_place_is_dropped_and_counted(waiting, resident, monkeypatch):
    waiting.offer([answered(resident) for _ in range(MOST_WAITING + 5)])
    assert rows_of(waiting) == {"dropped": 5}
    monkeypatch.setattr(shadows, "MOST_BYTES", 1000)
    waiting._take(SHADOW)
    waiting.offer([answered(resident), answered(resident), answered(resident, size=8)])
    assert rows_of(waiting) == {"dropped": 6}


def test_a_shadow_that_has_no_room_is_dropped(waiting, resident, bank):
    bank.found = None
    waiting.offer([answered(resident)] * 3)
    waiting.compute()
    assert rows_of(waiting) == {"dropped": 3}
    assert waiting.due_in_s is None


def test_copies_wait_while_their_shadow_is_loaded_and_hold_up_no_other(
    waiting, resident, bank, clock
):
    bank.found = Future()
    waiting.offer([answered(resident)])
    waiting.compute()
    waiting.compute()
    assert rows_of(waiting) == {}
    assert 0 < waiting.due_in_s < 1
    bank.found = resident
    waiting.compute()
    assert sum(rows_of(waiting).values()) == 1


def test_a_shadow_that_cannot_be_loaded_is_left_alone_for_a_while(
    waiting, resident, bank, clock, caplog
):
    bank.found = load = Future()
    waiting.offer([answered(resident)] * 2)
    waiting.compute()
    load.set_exception(ArtifactCorrupt("torn"))
    waiting.compute()
    assert rows_of(waiting) == {"failed": 2}
    assert waiting.tally.of(SHADOW).errors == {"adapter_damaged": 2}
    assert caplog.text.count("the shadow bbbbbbbbbbbb cannot be loaded: torn") == 1
    bank.found = resident
    waiting.offer([answered(resident)])
    waiting.compute()
    assert rows_of(waiting) == {"failed": 3}
    clock.now += RETRY_S
    waiting.offer([answered(resident)])
    waiting.compute()
    assert sum(rows_of(waiting).values()) == 4
    assert rows_of(waiting)["failed"] == 3


def test_a_shadow_with_another_rule_for_pixels_is_dropped_and_said(waiting, resident, bank, caplog):
    rule = resident.meta.preprocessing.model_copy(update={"resize": "shorter", "resize_size": 20})
    bank.found = replace(resident, meta=resident.meta.model_copy(update={"preprocessing": rule}))
    waiting.offer([answered(resident)])
    waiting.compute()
    assert rows_of(waiting) == {"dropped": 1}
    assert "publish it as a canary instead" in caplog.text


def test_a_forward_that_fails_is_a_failed_copy(waiting, resident, backend, monkeypatch):
    def broken(*_):
        raise RuntimeError("broken trunk")

    monkeypatch.setattr(backend, "features", broken)
    waiting.offer([answered(resident)])
    waiting.compute()
    assert rows_of(waiting) == {"failed": 1}
    assert waiting.tally.of(SHADOW).errors == {"internal": 1}


def test_a_fault_of_ours_costs_copies_alone(waiting, resident, monkeypatch, caplog):
    broken = answered(resident)
    del broken.picture
    waiting.offer([broken, answered(resident)])
    assert "a row is not copied" in caplog.text
    monkeypatch.setattr(shadows, "launch", lambda *_: 1 / 0)
    waiting.compute()
    assert "copies are given up" in caplog.text
    assert waiting.due_in_s is None


def test_no_shadow_waits_for_another_ones_copies(waiting, resident):
    other = "c" * 64
    waiting.offer([answered(resident), answered(resident), answered(resident, version=other)])
    for _ in range(3):
        waiting.compute()
    assert sum(rows_of(waiting).values()) == 2
    assert sum(rows_of(waiting, other).values()) == 1
