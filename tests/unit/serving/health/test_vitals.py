"""A worker whose device is lost says so, hands its answers over and ends; any other goes on."""

import threading

import pytest

from serving.errors import BadParameter, DeviceAway, DeviceLost
from serving.health import vitals as vitals_module
from serving.health.heartbeat import Heartbeat
from serving.health.vitals import MOST_FAILURES, Vitals

ANSWER = object()
FAULT = RuntimeError("shapes do not fit")
REFUSAL = BadParameter("no task named")


class Worker:
    """Vitals of a worker that notes its end, and whose own rows come to what `fails_with` says."""

    def __init__(self) -> None:
        self.fails_with: Exception | None = None
        self.probes = 0
        self.ended = threading.Event()
        self.beats = 0
        heartbeat = Heartbeat(None)
        heartbeat.beat = self._beat  # type: ignore[method-assign]
        self.vitals = Vitals(heartbeat, self._probe, lambda _: self.ended.set())

    def _beat(self) -> None:
        self.beats += 1

    def _probe(self) -> None:
        self.probes += 1
        if self.fails_with is not None:
            raise self.fails_with


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> Worker:
    monkeypatch.setattr(vitals_module, "_HAND_OVER_S", 0.05)
    return Worker()


@pytest.mark.parametrize("outcomes", [[ANSWER], [ANSWER, FAULT], [REFUSAL, ANSWER]])
def test_the_heart_beats_with_each_batch_that_has_an_answer(worker: Worker, outcomes) -> None:
    worker.vitals.judge(outcomes)
    assert worker.beats == 1
    assert not worker.vitals.is_ending


@pytest.mark.parametrize("outcomes", [[REFUSAL], []])
def test_what_callers_do_wrong_tells_nothing_of_the_device(worker: Worker, outcomes) -> None:
    for _ in range(2 * MOST_FAILURES):
        worker.vitals.judge(outcomes)
    assert (worker.beats, worker.probes, worker.vitals.is_ending) == (0, 0, False)


def test_a_lost_device_ends_the_worker_after_its_answers_are_handed_over(worker: Worker) -> None:
    worker.vitals.judge([REFUSAL, DeviceLost("gone"), ANSWER])
    assert worker.vitals.is_ending
    assert not worker.ended.is_set()
    assert worker.ended.wait(10)
    assert worker.beats == 0


def fail(worker: Worker, times: int) -> None:
    for _ in range(times):
        worker.vitals.judge([FAULT])


def test_faults_alone_end_the_worker_once_a_row_of_its_own_fails_too(worker: Worker) -> None:
    worker.fails_with = RuntimeError("broken for good")
    fail(worker, MOST_FAILURES - 1)
    assert (worker.probes, worker.vitals.is_ending, worker.beats) == (0, False, 0)
    fail(worker, 1)
    assert (worker.probes, worker.vitals.is_ending) == (1, True)
    assert worker.ended.wait(10)


def test_a_caller_who_finds_what_always_fails_ends_nothing(worker: Worker) -> None:
    fail(worker, 3 * MOST_FAILURES)
    assert worker.probes == 3
    assert not worker.vitals.is_ending


def test_one_answer_in_between_begins_the_count_anew(worker: Worker) -> None:
    worker.fails_with = RuntimeError("broken")
    fail(worker, MOST_FAILURES - 1)
    worker.vitals.judge([ANSWER])
    fail(worker, MOST_FAILURES - 1)
    assert not worker.vitals.is_ending


def test_an_idle_worker_learns_from_its_own_row(worker: Worker) -> None:
    worker.vitals.probe()
    assert worker.beats == 1
    worker.fails_with = DeviceLost("gone")
    worker.vitals.probe()
    assert worker.vitals.is_ending
    assert worker.beats == 1
    assert worker.ended.wait(10)


def test_who_waits_for_the_process_that_owns_the_device_goes_on_waiting(worker: Worker) -> None:
    worker.fails_with = DeviceAway("another one begins")
    for _ in range(2 * MOST_FAILURES):
        worker.vitals.probe()
    assert not worker.vitals.is_ending
    assert worker.beats == 0
