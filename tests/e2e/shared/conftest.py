"""One real service for all tests of this folder, which run in one process: TorchServe and Redis."""

from collections.abc import Iterator

import pytest

from adapters.ports import free_ports
from adapters.redis.server import RedisServer
from serving.launch.launch import Launch
from serving.service import start, stop
from tests.e2e.service import REDIS_PASSWORD, Service, published_in
from tests.fakes.waiting import wait_until


@pytest.fixture(scope="session")
def ports() -> tuple[int, ...]:
    """API, management, TorchServe's metrics; probes and our metrics."""
    return free_ports(4)


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory, ports: tuple[int, ...]) -> Iterator[Service]:
    """The service that all of them ask."""
    root = tmp_path_factory.mktemp("e2e")
    with (
        RedisServer(root / "redis", password=REDIS_PASSWORD) as redis,
        published_in(root / "store", redis.url) as published,
    ):
        launch = Launch(
            folder=root / "serve",
            store=root / "store",
            ports=ports[:3],
            health_port=ports[3],
            redis_url=redis.url,
        )
        start(launch)
        try:
            yield published.served(launch.folder, redis)
        finally:
            stop(launch.folder)


@pytest.fixture
def service(running: Service) -> Service:
    """The service, whole again whatever the last test did to it."""
    running.redis.start()
    wait_until("a worker is ready", running.is_ready)
    return running
