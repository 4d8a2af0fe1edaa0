from collections.abc import Iterator
from typing import Any

import pytest
from redis import Redis

from adapters.cache.redis_cache import AdapterCache
from adapters.redis.server import RedisServer, find_servers
from tests.fakes.proxy import Proxy

STORE_ID = "5" * 32
"""Of the store whose pointers a bare cache keeps in tests."""

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
    cache.store_id = STORE_ID
    yield cache
    cache.close()


@pytest.fixture
def proxy(server: RedisServer) -> Iterator[Proxy]:
    with Proxy(server.port) as proxy:
        yield proxy
