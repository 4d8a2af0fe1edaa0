"""A Redis that is found by asking a sentinel for the master."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import RedisError

from adapters.cache.cached_store import CachedStore
from adapters.cache.redis_cache import AdapterCache
from adapters.ports import free_ports
from adapters.redis.server import RedisServer
from adapters.store.directory import DirectoryStore
from tests.fakes.artifacts import make_artifact
from tests.fakes.waiting import wait_until
from tests.integration.conftest import PATIENT_S

FIRST, SECOND = (make_artifact(seed=seed) for seed in range(2))


@pytest.fixture
def address(server: RedisServer, tmp_path: Path) -> Iterator[str]:
    """The address of a sentinel, and of another one that is down."""
    (port,) = free_ports(1)
    file = tmp_path / "sentinel.conf"
    master = f"sentinel monitor mymaster 127.0.0.1 {server.port} 1"
    file.write_text(f"port {port}\nbind 127.0.0.1\ndir {tmp_path}\n{master}\n")
    command = [str(server.binary), str(file), "--sentinel"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as sentinel:
        wait_until("the sentinel answers", lambda: answers(port))
        yield f"redis+sentinel://127.0.0.1:1,127.0.0.1:{port}/mymaster/0"
        sentinel.terminate()


def answers(port: int) -> bool:
    try:
        with Redis(port=port) as client:
            return bool(client.ping())
    except RedisError:
        return False


def test_publishes_are_announced_and_heard_through_a_sentinel(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.cache.follower.LOOK_EVERY_S", 600.0)
    store = DirectoryStore(tmp_path / "store")
    publisher, service = (
        CachedStore(store, AdapterCache.from_url(address, timeout_s=PATIENT_S), pointer_ttl_s=600.0)
        for _ in range(2)
    )
    publisher.publish(FIRST)
    service.watch()
    wait_until("it hears", lambda: service.hears_publishes)
    service.current("pets")
    pointer = publisher.publish(SECOND)
    wait_until("it is seen", lambda: service.current("pets") == pointer)
    for one in (publisher, service):
        one.close()
