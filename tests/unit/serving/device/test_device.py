"""One thread computes what waits; whatever it meets stays with the rows that it is about."""

import queue
import threading

import numpy as np
import pytest
import torch

from adapters.cache.cached_store import CachedStore
from adapters.errors import TaskNotFound
from adapters.images.crop import Picture
from adapters.store.directory import DirectoryStore
from adapters.vit.adapter import encode
from serving.device.device import Device
from serving.errors import DeviceLost
from serving.forward import forward
from serving.inference.bank import AdapterBank
from serving.inference.core import Core
from serving.protocol import Answer
from serving.rows.query import Query
from serving.trunk.cpu import CpuBackend
from serving.trunk.transfer import Fetched
from tests.fakes.artifacts import make_adapter
from tests.fakes.tiny import tiny_backbone

SOON_S = 60.0


class Held(CpuBackend):
    """Computes nothing until it may, and notes how many rows each forward had."""

    def __init__(self, backbone):
        super().__init__(backbone)
        self.began, self.may = threading.Event(), threading.Event()
        self.forwards = []

    def features(self, form, pixels, prompts):
        self.began.set()
        assert self.may.wait(SOON_S)
        self.forwards.append(len(pixels))
        return super().features(form, pixels, prompts)


@pytest.fixture(scope="module")
def backbone():
    return tiny_backbone()


@pytest.fixture
def core(backbone, tmp_path):
    source = CachedStore(DirectoryStore(tmp_path))
    for i in range(2):
        source.publish(encode(make_adapter(f"task{i}", seed=i, backbone=backbone.spec)))
    core = Core(Held(backbone), source, AdapterBank(backbone, source, 1 << 20))
    yield core
    core.close()
    source.close()


@pytest.fixture
def judged():
    return []


@pytest.fixture
def ended():
    return []


@pytest.fixture
def device(core, judged, ended):
    device = Device(
        core, max_batch=4, patience_s=SOON_S, judge=judged.append, end=ended.append
    )  # fmt: skip
    yield device
    core.backend.may.set()
    device.close()


def picture(seed):
    return Picture(np.full((16, 16, 3), seed, np.uint8), is_whole=False)


def ask(device, *tasks):
    call = device.seat([Query(b"", task) for task in tasks], [b"digest"] * len(tasks))
    found = call.rules()
    seated = [place for place, one in enumerate(found) if not isinstance(one, Exception)]
    return call, device.compute(call, {place: picture(place) for place in seated})


def test_rows_that_came_while_the_device_was_busy_are_one_batch(device, core):
    first = ask(device, "task0")[1]
    assert core.backend.began.wait(SOON_S)
    others = [ask(device, "task0", "task1")[1] for _ in range(2)]
    core.backend.may.set()
    for outcomes in (first, *others):
        assert all(isinstance(one, Answer) for one in outcomes.result(SOON_S).values())
    assert core.backend.forwards == [1, 4]


class Slow(Fetched):
    """What is fetched from a device that computes until it may be done."""

    def __init__(self, tensors):
        self.tensors, self.asked, self.may = tensors, threading.Event(), threading.Event()

    def wait(self):
        self.asked.set()
        assert self.may.wait(SOON_S)
        return self.tensors


def test_rows_that_come_while_the_device_computes_are_prepared_meanwhile(device, core, monkeypatch):
    forwards = queue.SimpleQueue()

    def fetched(tensors):
        forwards.put(slow := Slow(tensors))
        return slow

    core.backend.may.set()
    monkeypatch.setattr(forward, "Fetched", fetched)
    monkeypatch.setattr(type(core), "in_flight", 2)
    first = ask(device, "task0")[1]
    computing = forwards.get(timeout=SOON_S)
    assert computing.asked.wait(SOON_S)  # nothing waits: the device's end is waited for
    second = ask(device, "task1")[1]
    following = forwards.get(timeout=SOON_S)
    assert not first.done()
    for one, outcomes in ((computing, first), (following, second)):
        one.may.set()
        assert isinstance(outcomes.result(SOON_S)[0], Answer)


class Rounded(Held):
    """All of whose rows are in doubt."""

    def __init__(self, backbone):
        super().__init__(backbone)
        self.exactly = Held(backbone)

    @property
    def exact(self):
        return self.exactly

    def doubt(self, form):
        return torch.inf


def test_rows_in_doubt_are_computed_again_and_their_adapters_leased_until_then(
    device, core, backbone
):
    core.backend = rounded = Rounded(backbone)
    rounded.may.set()
    _, outcomes = ask(device, "task0", "task1")
    assert rounded.exactly.began.wait(SOON_S)
    assert rounded.forwards == [2]
    assert core.bank._leases
    assert not outcomes.done()
    rounded.exactly.may.set()
    assert all(isinstance(one, Answer) for one in outcomes.result(SOON_S).values())
    assert rounded.exactly.forwards == [2]
    assert not core.bank._leases


def test_a_row_without_a_seat_has_its_error_and_the_others_their_answers(device, core):
    core.backend.may.set()
    call, outcomes = ask(device, "task0", "nobody")
    assert isinstance(call.rules()[1], TaskNotFound)
    assert isinstance(outcomes.result(SOON_S)[0], Answer)


def test_adapters_are_leased_from_the_seat_to_the_outcome(device, core):
    _, outcomes = ask(device, "task0")
    assert core.bank._leases
    core.backend.may.set()
    outcomes.result(SOON_S)
    assert not core.bank._leases
    _, outcomes = ask(device, "nobody")
    assert outcomes.result(SOON_S) == {}


def test_a_call_that_is_given_up_lets_its_adapters_go(device, core):
    seated = device.seat([Query(b"", "task0")], [b"digest"])
    assert core.bank._leases
    device.forget(seated)
    assert not core.bank._leases


def test_a_call_that_is_given_up_while_it_is_computed_ends_with_its_forward(device, core):
    call, outcomes = ask(device, "task0")
    assert core.backend.began.wait(SOON_S)
    device.forget(call)
    assert core.bank._leases
    core.backend.may.set()
    outcomes.result(SOON_S)
    assert not core.bank._leases


def test_what_a_forward_meets_is_told_to_its_rows_and_to_who_judges(
    device, core, judged, monkeypatch
):
    core.backend.may.set()
    monkeypatch.setattr(core.backend, "features", lose)
    outcomes = ask(device, "task0", "task1")[1].result(SOON_S)
    assert [type(one) for one in outcomes.values()] == [DeviceLost] * 2
    assert [[type(one) for one in batch] for batch in judged] == [[DeviceLost] * 2]


def lose(*_):
    raise torch.AcceleratorError("CUDA error: an illegal memory access was encountered")


def test_a_job_runs_between_two_forwards_and_its_error_is_its_own(device, core):
    core.backend.may.set()
    assert device.run(lambda: None).result(SOON_S) is None
    with pytest.raises(ZeroDivisionError):
        device.run(lambda: 1 / 0).result(SOON_S)
    assert isinstance(ask(device, "task0")[1].result(SOON_S)[0], Answer)


def test_a_fault_of_the_devices_own_thread_ends_the_process(device, core, ended, monkeypatch):
    has_ended = threading.Event()
    monkeypatch.setattr(device, "_end", lambda status: (ended.append(status), has_ended.set()))
    monkeypatch.setattr(device, "_finish", lambda _: 1 / 0)
    core.backend.may.set()
    ask(device, "task0")
    assert has_ended.wait(SOON_S)
    assert ended == [1]
