"""Services are written down, begun once, and ended with all that they started."""

import errno
import os
import shutil
import signal
import stat
import subprocess
from pathlib import Path

import psutil
import pytest

from adapters.ports import free_ports
from serving.errors import LaunchError
from serving.front.launch import AsgiFront
from serving.launch.front import Begun
from serving.launch.launch import Launch
from serving.launch.running import METRICS, RECORD, Running, adopt, is_recorded, read
from serving.launch.services import Services
from serving.service import rotate, start, stop
from serving.torchserve import launch as launch_module
from tests.fakes.waiting import wait_until
from tests.unit.serving.conftest import SLEEP


def has_ended(process: subprocess.Popen[bytes]) -> bool:
    return process.poll() is not None


def test_the_record_is_its_owners_alone_because_redis_may_have_a_password(
    recorded: Running, tmp_path: Path
) -> None:
    assert read(tmp_path) == recorded
    assert stat.S_IMODE((tmp_path / RECORD).stat().st_mode) == 0o600


def test_a_process_with_the_id_of_ours_but_another_birth_is_not_ours(recorded: Running) -> None:
    (pid,) = recorded.processes
    assert [process.pid for process in recorded.alive()] == [pid]
    another = recorded.model_copy(update={"processes": {pid: 12345.0}})
    assert another.alive() == []


def test_a_process_that_has_ended_is_not_alive_though_nobody_has_buried_it(
    recorded: Running, process: subprocess.Popen[bytes]
) -> None:
    os.kill(process.pid, signal.SIGKILL)
    zombie = psutil.Process(process.pid)
    wait_until("it is a zombie", lambda: zombie.status() == psutil.STATUS_ZOMBIE)
    assert recorded.alive() == []


def test_an_adopted_process_is_ended_with_the_others(
    recorded: Running, tmp_path: Path, process: subprocess.Popen[bytes]
) -> None:
    with subprocess.Popen(SLEEP) as redis:
        adopt(tmp_path, redis.pid)
        assert stop(tmp_path)
        assert has_ended(redis)
    assert has_ended(process)
    assert list(tmp_path.iterdir()) == []
    assert not stop(tmp_path)


class Sleeper(AsgiFront):
    """A front that is nothing but a process."""

    def __init__(self, running: Running) -> None:
        self._running = running

    def configure(self, _: Launch) -> None:
        pass

    def begin(self, _: Launch) -> Begun:
        return Begun(self._running, lambda: None)

    def preloaded(self, _: Launch) -> tuple[str, ...]:
        return ()


def test_what_was_counted_before_is_gone_at_a_start_but_not_as_a_front_begins_again(
    recorded: Running, tmp_path: Path
) -> None:
    services = Services({"asgi": Sleeper(recorded)})
    launch, counted = Launch(folder=tmp_path, front="asgi"), tmp_path / METRICS / "counter_1.db"
    counted.parent.mkdir()
    counted.touch()
    services.begin(launch, recorded)
    assert counted.exists()
    services.begin(launch)
    assert not counted.exists()
    counted.parent.mkdir()
    assert stop(tmp_path, draining=False)
    assert list(tmp_path.iterdir()) == []


def test_a_service_that_cannot_be_drained_is_ended_all_the_same(
    recorded: Running, tmp_path: Path, process: subprocess.Popen[bytes], monkeypatch, caplog
) -> None:
    def fail(*_: object) -> None:
        raise TimeoutError("not all requests were answered in 30 s")

    monkeypatch.setattr(launch_module, "drain", fail)
    assert stop(tmp_path)
    assert has_ended(process)
    assert "not all requests were answered" in caplog.text


def test_an_interrupt_ends_the_wait_and_the_service(
    recorded: Running, tmp_path: Path, process: subprocess.Popen[bytes], monkeypatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(launch_module, "drain", interrupt)
    with pytest.raises(KeyboardInterrupt):
        stop(tmp_path)
    assert has_ended(process)
    assert not is_recorded(tmp_path)


def test_a_stop_without_draining_asks_nobody(
    recorded: Running, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr(launch_module, "drain", None)
    assert stop(tmp_path, draining=False)


def test_a_second_start_in_the_same_folder_is_refused(recorded: Running, tmp_path: Path) -> None:
    with pytest.raises(LaunchError, match="make stop"):
        start(Launch(folder=tmp_path))
    assert recorded.alive() != []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS])
def test_a_folder_that_cannot_be_written_is_named_with_the_reason(
    tmp_path: Path, monkeypatch, number: int
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number), str(tmp_path / "serve"))

    monkeypatch.setattr(launch_module, "write_configuration", refuse)
    api, management, metrics = free_ports(3)
    with pytest.raises(LaunchError) as caught:
        start(Launch(folder=tmp_path / "serve", ports=(api, management, metrics)))
    assert os.strerror(number) in str(caught.value)
    assert str(tmp_path / "serve") in str(caught.value)


def test_of_many_files_that_find_no_room_the_first_is_told(tmp_path: Path, monkeypatch) -> None:
    def refuse(*_: object) -> None:
        raise shutil.Error([("a", "b", "[Errno 28] No space left on device: 'b'"), ("c", "d", "x")])

    monkeypatch.setattr(launch_module, "write_configuration", refuse)
    api, management, metrics = free_ports(3)
    with pytest.raises(LaunchError, match=r"No space left on device: 'b'; the launch's folder"):
        start(Launch(folder=tmp_path / "serve", ports=(api, management, metrics)))


def test_a_service_without_tokens_says_how_to_have_them(recorded: Running, tmp_path: Path) -> None:
    with pytest.raises(LaunchError, match="--no-token"):
        rotate(tmp_path)


def test_a_record_that_is_none_of_ours_is_named_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / RECORD).write_text('{"name": "somebody else\'s"}')
    with pytest.raises(LaunchError, match=f"{RECORD} is not the record.*--folder"):
        start(Launch(folder=tmp_path, ports=free_ports(3)))
    assert (tmp_path / RECORD).exists()
