"""A port of another process is closed to newcomers, and whoever is connected notices nothing."""

import errno
import socket
import subprocess
import sys
import time

import psutil
import pytest

from serving.torchserve import listener as listener_module
from serving.torchserve.listener import Listener
from tests.fakes.waiting import wait_until

ECHO = """
import socket, threading
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
def echo(caller):
    while data := caller.recv(100):
        caller.sendall(data)
while True:
    try:
        caller, _ = server.accept()
    except OSError:
        threading.Event().wait()
    threading.Thread(target=echo, args=[caller], daemon=True).start()
"""

TICK_S = 0.05
"""As fine as the kernel counts, at least."""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux lends sockets")


@pytest.fixture
def server():
    """Yield a process that echoes, and its port."""
    command = [sys.executable, "-c", ECHO]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.pid, int(process.stdout.readline())
        process.kill()


@pytest.fixture
def listener(server):
    pid, port = server
    return Listener(psutil.Process(pid), port)


def connect(server) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server[1]), timeout=60)


def echoed(caller: socket.socket, data: bytes) -> bytes:
    caller.sendall(data)
    return caller.recv(100)


def test_newcomers_are_refused_and_who_is_connected_is_answered(server, listener):
    with connect(server) as caller:
        assert echoed(caller, b"before") == b"before"
        listener.close()
        with pytest.raises(ConnectionRefusedError):
            connect(server)
        assert echoed(caller, b"after") == b"after"


def test_callers_are_counted_while_they_are_connected(server, listener):
    assert listener.num_callers() == 0
    with connect(server) as caller:
        echoed(caller, b"x")
        assert listener.num_callers() == 1
    wait_until("nobody is connected", lambda: listener.num_callers() == 0)


def test_silence_is_counted_from_the_last_word_of_any_caller(server, listener):
    assert listener.silent_s() == float("inf")
    with connect(server) as quiet, connect(server) as talker:
        echoed(quiet, b"x")
        time.sleep(0.3)
        assert listener.silent_s() > 0.25
        before = time.monotonic()
        echoed(talker, b"x")
        assert listener.silent_s() < time.monotonic() - before + TICK_S


def test_a_kernel_that_does_not_lend_sockets_says_so_and_nothing_changes(
    server, listener, monkeypatch
):
    class Kernel:
        @staticmethod
        def syscall(*_):
            return -1

    monkeypatch.setattr(listener_module.ctypes, "CDLL", lambda *_, **__: Kernel)
    monkeypatch.setattr(listener_module.ctypes, "get_errno", lambda: errno.EPERM)
    with connect(server) as caller:
        for refused in (listener.close, listener.silent_s):
            with pytest.raises(PermissionError):
                refused()
        assert echoed(caller, b"x") == b"x"
        connect(server).close()


def test_a_process_that_has_ended_has_no_callers(server, listener):
    process = psutil.Process(server[0])
    process.kill()
    wait_until("it has ended", lambda: not process.is_running() or process.status() == "zombie")
    assert listener.num_callers() == 0
    assert listener.silent_s() == float("inf")
    listener.close()
