"""A service is left alone only when everybody who was let in has been answered."""

import logging
import threading
import time
from pathlib import Path

import psutil
import pytest

from serving.health.stop_mark import StopMark
from serving.launch.running import Running
from serving.torchserve import drain as drain_module
from serving.torchserve.drain import SILENT_S, drain
from serving.torchserve.listener import Listener


class FakeListener(Listener):
    """A port with callers who leave, or fall silent, when told to."""

    def __init__(self) -> None:
        self.callers = 0
        self.silence: float | OSError = 0.0
        self.closed = False
        self.lends = True

    def close(self) -> None:
        if not self.lends:
            raise PermissionError("not ours")
        self.closed = True

    def num_callers(self) -> int:
        return self.callers

    def silent_s(self) -> float:
        if isinstance(self.silence, OSError):
            raise self.silence
        return self.silence


class Stage:
    """What a drain meets, and the order in which it did what."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.mark = StopMark(folder)
        self.listener = FakeListener()
        self.flushes: list[tuple[bool, bool]] = []
        self.on_flush = lambda: None
        monkeypatch.setattr(drain_module, "_listener_of", lambda _: self.listener)
        monkeypatch.setattr(drain_module.management, "flush", self._flush)

    def _flush(self, _url: str, *, token_file: Path | None, timeout_s: float) -> None:
        assert timeout_s > 0
        self.flushes.append((self.listener.closed, self.mark.is_refusing()))
        self.on_flush()

    def drain(self, drain_s: float = 30.0) -> None:
        drain(running(drain_s), self.mark)


def running(drain_s: float) -> Running:
    return Running(
        url="http://127.0.0.1:1",
        management_url="http://127.0.0.1:2",
        processes={},
        scratch=Path("x"),
        drain_s=drain_s,
    )


@pytest.fixture
def stage(tmp_path, monkeypatch):
    return Stage(tmp_path, monkeypatch)


def test_the_door_is_shut_then_the_queue_is_flushed_then_late_requests_are_refused(stage):
    stage.listener.callers = 2
    stage.on_flush = lambda: setattr(stage.listener, "callers", stage.listener.callers - 1)
    stage.drain()
    assert stage.flushes == [(True, False), (True, True)]
    assert stage.mark.is_refusing()


def test_nobody_connected_is_nobody_to_wait_for(stage):
    stage.drain()
    assert stage.flushes == [(True, False)]


def test_callers_who_stay_connected_and_say_nothing_are_left(stage):
    stage.listener.callers, stage.listener.silence = 1, SILENT_S + 0.1
    stage.drain()


def test_a_caller_who_is_still_talking_is_waited_for(stage):
    stage.listener.callers = 1
    job = threading.Thread(target=stage.drain)
    job.start()
    job.join(SILENT_S + 0.5)
    assert job.is_alive()
    stage.listener.callers = 0
    job.join(60)
    assert not job.is_alive()


def test_the_wait_has_an_end(stage):
    stage.listener.callers = 1
    began_at = time.monotonic()
    with pytest.raises(TimeoutError, match=r"0\.3 s"):
        stage.drain(drain_s=0.3)
    assert time.monotonic() - began_at > 0.25


def test_a_kernel_that_lends_no_sockets_costs_only_the_last_moment(stage, caplog):
    stage.listener.lends = False
    stage.listener.callers, stage.listener.silence = 1, PermissionError("not ours")
    began_at = time.monotonic()
    stage.drain(drain_s=600.0)
    assert SILENT_S < time.monotonic() - began_at < 300
    assert stage.mark.is_refusing()
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "spt run" in record.message


def test_a_service_that_has_ended_already_is_not_waited_for(tmp_path):
    drain(running(30.0), StopMark(tmp_path))


def test_the_process_that_listens_is_found_among_those_of_the_launch():
    class Idle:
        def net_connections(self, _kind):
            raise psutil.AccessDenied

    other = running(1.0)
    assert drain_module._listener_of(other) is None
    object.__setattr__(other, "alive", lambda: [Idle()])
    assert drain_module._listener_of(other) is None
