"""Shadows compute while no caller does; a caller waits for one forward of theirs at most."""

import threading

import pytest

from adapters.cache.cached_store import CachedStore
from adapters.store.directory import DirectoryStore
from serving.inference.bank import AdapterBank
from serving.shadow.shadows import Shadows
from serving.shadow.spare_time import SpareTime
from serving.trunk.cpu import CpuBackend
from tests.fakes.tiny import tiny_backbone

SOON_S = 60.0


class Scripted(Shadows):
    """Has something to do as long as it is told so."""

    def __init__(self, backend, bank):
        super().__init__(backend, bank)
        self.left = 0
        self.began, self.may = threading.Semaphore(0), threading.Semaphore(0)
        self.callers_inside = []
        self.inside = 0

    @property
    def due_in_s(self):
        return 0.0 if self.left else None

    def compute(self):
        self.left -= 1
        self.callers_inside.append(self.inside)
        self.began.release()
        assert self.may.acquire(timeout=SOON_S)


@pytest.fixture
def scripted(tmp_path):
    backbone = tiny_backbone()
    bank = AdapterBank(backbone, CachedStore(DirectoryStore(tmp_path)), 1 << 20)
    yield Scripted(CpuBackend(backbone), bank)
    bank.close()


@pytest.fixture
def spare_time(scripted):
    spare_time = SpareTime(scripted)
    yield spare_time
    for _ in range(100):
        scripted.may.release()
    spare_time.close()


def test_without_copies_there_is_no_thread(spare_time):
    with spare_time.interrupted():
        pass
    assert spare_time._thread is None


def test_copies_are_computed_once_the_callers_are_gone(spare_time, scripted):
    with spare_time.interrupted():
        scripted.left = 2
    for _ in range(2):
        assert scripted.began.acquire(timeout=SOON_S)
        scripted.may.release()
    assert scripted.callers_inside == [0, 0]


def test_a_caller_waits_for_the_forward_that_runs_and_goes_before_the_next(spare_time, scripted):
    with spare_time.interrupted():
        scripted.left = 5
    assert scripted.began.acquire(timeout=SOON_S)
    entered, may_leave = threading.Event(), threading.Event()

    def call():
        with spare_time.interrupted():
            scripted.inside += 1
            entered.set()
            assert may_leave.wait(SOON_S)
            scripted.inside -= 1

    caller = threading.Thread(target=call)
    caller.start()
    assert not entered.wait(0.05)  # a forward is not broken off
    scripted.may.release()
    assert entered.wait(SOON_S)
    begun = len(scripted.callers_inside)
    assert not scripted.began.acquire(timeout=0.1) or begun == 2
    may_leave.set()
    caller.join(SOON_S)
    scripted.may.release()
    assert scripted.began.acquire(timeout=SOON_S)
    assert set(scripted.callers_inside) == {0}


def test_it_ends_though_copies_wait(spare_time, scripted):
    with spare_time.interrupted():
        scripted.left = 5
    assert scripted.began.acquire(timeout=SOON_S)
    scripted.may.release()
    spare_time.close()
    assert not spare_time._thread.is_alive()
