"""A launcher stands for a forked child in all that others see, and needs no fork server to work."""

import json
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from serving.forking import launcher
from tests.fakes.waiting import wait_until

ROOT = Path(__file__).parents[4]

PLAIN = "import sys; print('plain', *sys.argv[1:])"
"""What a launcher becomes without a fork server."""

Start = Callable[..., psutil.Process]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """The path of a socket, longer than the kernel takes."""
    folder = tmp_path / "with a space" / ("long" * 30)
    folder.mkdir(parents=True)
    return folder / "fork.sock"


@pytest.fixture
def start(place: Path) -> Iterator[Start]:
    """Starts a fork server there, which finds modules of the socket's folder, too."""
    servers = []

    def begin(*modules: str) -> psutil.Process:
        command = [sys.executable, "-P", "-m", "serving.forking.server", str(place), *modules]
        path = os.pathsep.join((str(ROOT), str(place.parent)))
        environment = os.environ | {"PYTHONPATH": path, "OF_THE_SERVER": "1"}
        with place.with_name("server.log").open("ab") as log:
            done = subprocess.run(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                check=True,
            )
        servers.append(psutil.Process(int(done.stdout)))
        return servers[-1]

    yield begin
    for server in servers:
        if server.is_running():
            server.kill()


@contextmanager
def launched(
    place: Path, target: str, *words: str, **changes: Any
) -> Iterator[subprocess.Popen[str]]:
    """Begin a launcher; what it stands for is a function of `tests.fakes.forked`."""
    command = [sys.executable, "-I", "-S", launcher.__file__, str(place)]
    streams = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    options = {**streams, "text": True, **changes}
    with subprocess.Popen([*command, f"tests.fakes.forked:{target}", *words], **options) as process:
        yield process
        process.kill()


def told(place: Path, code: int = 0, **changes: Any) -> dict[str, Any]:
    """Return what a child says of itself, which ends with a code."""
    with launched(place, "tell", str(code), "a b", **changes) as process:
        said, errors = process.communicate("a word")
        assert (process.returncode, errors) == (code, "an error\n")
    return json.loads(said)


def child_of(process: subprocess.Popen[str]) -> psutil.Process:
    """Return the forked process, which says who it is as soon as it runs."""
    assert process.stdout is not None
    return psutil.Process(int(process.stdout.readline()))


def has_ended(process: psutil.Process) -> bool:
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_a_child_is_what_its_launcher_was_asked_for_and_ends_as_it_ended(
    place: Path, start: Start, tmp_path: Path
) -> None:
    server = start("tests.fakes.forked")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    given = {"PYTHONPATH": str(tmp_path), "TMPDIR": str(scratch), "OF_THE_CHILD": "é\udcff"}
    found = told(place, 3, cwd=tmp_path, env=given)
    assert found["argv"] == ["3", "a b"]
    assert {key: found["environment"].get(key) for key in given} == given
    assert "OF_THE_SERVER" not in found["environment"]
    assert (found["folder"], found["temporary"]) == (str(tmp_path), str(scratch))
    assert str(tmp_path) in found["path"]
    assert found["heard"] == "a word"
    assert found["parent"] == server.pid


def test_children_share_neither_descriptors_nor_random_numbers(place: Path, start: Start) -> None:
    start()
    with launched(place, "wait") as sibling:
        child_of(sibling)
        first, second = told(place), told(place)
    for one in (first, second):
        assert len([name for name in one["descriptors"] if "socket" in name]) == 1
    assert first["random"] != second["random"]


def test_nobody_else_may_ask_a_fork_server(place: Path, start: Start) -> None:
    start()
    assert stat.S_IMODE(place.stat().st_mode) & 0o077 == 0


def test_an_error_of_the_child_is_told_where_its_launcher_tells_errors(
    place: Path, start: Start
) -> None:
    start()
    with launched(place, "fail") as process:
        _, errors = process.communicate("")
    assert process.returncode == 1
    assert errors.endswith("ValueError: nothing will come of it\n")


def test_a_child_that_is_killed_is_buried_and_its_launcher_says_so(
    place: Path, start: Start
) -> None:
    server = start()
    with launched(place, "wait") as process:
        child_of(process).kill()
        assert process.wait() == 128 + 9
    assert server.children() == []


def test_sigterm_is_passed_on(place: Path, start: Start) -> None:
    start()
    with launched(place, "wait") as process:
        child_of(process)
        process.terminate()
        assert process.wait() == 7


@pytest.mark.parametrize("target", ["wait", "work"])
@pytest.mark.parametrize("survives", [True, False])
def test_a_child_ends_at_once_when_its_launcher_is_killed(
    place: Path, start: Start, target: str, survives: bool
) -> None:
    server = start()
    with launched(place, target) as process:
        child = child_of(process)
        if not survives:
            server.kill()
            wait_until("the fork server has ended", lambda: has_ended(server))
            assert not has_ended(child)
            assert process.poll() is None
        process.kill()
        wait_until("the child has ended", lambda: has_ended(child), timeout_s=10)


def test_a_child_outlives_its_fork_server_and_its_launcher_ends_with_it(
    place: Path, start: Start
) -> None:
    server = start()
    with launched(place, "wait") as process:
        child = child_of(process)
        server.kill()
        wait_until("the fork server has ended", lambda: has_ended(server))
        process.terminate()
        assert process.wait() == 1, "nobody can tell how it has ended"
    wait_until("the child has ended", lambda: has_ended(child))


def becomes_plain(place: Path) -> bool:
    """Return whether a launcher becomes the program itself, with its words."""
    with launched(place, "tell", "-c", PLAIN, "a b") as process:
        said, errors = process.communicate("")
    return said == "plain a b\n" and "no fork server answers" in errors and not process.returncode


def test_without_a_fork_server_a_launcher_becomes_the_program_itself(
    place: Path, start: Start
) -> None:
    assert becomes_plain(place)
    server = start()
    server.kill()
    wait_until("the fork server has ended", lambda: has_ended(server))
    assert becomes_plain(place)


@pytest.mark.parametrize("trouble", ["import nothing_of_that_name", "import threading, time\n"])
def test_a_fork_server_that_cannot_fork_is_none(place: Path, start: Start, trouble: str) -> None:
    thread = "threading.Thread(target=time.sleep, args=(600,), daemon=True).start()\n"
    text = trouble + (thread if "threading" in trouble else "\n")
    place.with_name("trouble.py").write_text(text)
    server = start("trouble")
    assert becomes_plain(place)
    wait_until("the fork server has ended", lambda: has_ended(server))
    reason = "expected one thread before a fork, found 2" if "threading" in trouble else "nothing_"
    assert reason in place.with_name("server.log").read_text()


def test_a_launcher_waits_for_a_fork_server_that_still_imports(place: Path, start: Start) -> None:
    go_on = place.with_name("go-on")
    place.with_name("slow.py").write_text(
        f"import pathlib, time\nwhile not pathlib.Path({str(go_on)!r}).exists(): time.sleep(0.01)\n"
    )
    start("slow")
    with launched(place, "wait") as process:
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.5)
        go_on.touch()
        child_of(process)
        process.terminate()
        assert process.wait() == 7


@pytest.mark.parametrize("said", [b"", b"\n", b"\nno request\n", b"\n{}\n"], ids=repr)
def test_whoever_asks_for_nothing_harms_nobody(place: Path, start: Start, said: bytes) -> None:
    server = start()
    here = Path.cwd()
    os.chdir(place.parent)
    try:
        with socket.socket(socket.AF_UNIX) as stranger:
            stranger.connect(place.name)
            assert stranger.recv(1) == b"\n"
            stranger.sendall(said)
    finally:
        os.chdir(here)
    with launched(place, "wait") as process:
        assert child_of(process).ppid() == server.pid
        process.terminate()
        assert process.wait() == 7
