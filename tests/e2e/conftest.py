"""One real service for the whole session: TorchServe, Redis and a store of adapters."""

from collections.abc import Iterator

import pytest

from adapters.redis.server import RedisServer
from adapters.vit.backbone import load_backbone
from serving.torchserve.configure import Launch, free_ports
from serving.torchserve.launch import start, stop
from tests.e2e.service import REDIS_PASSWORD, Service, expecting_engine, publish_all
from tests.fakes.waiting import wait_until


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    root = tmp_path_factory.mktemp("e2e")
    backbone = load_backbone()
    api, management, metrics = free_ports(3)
    with RedisServer(root / "redis", password=REDIS_PASSWORD) as redis:
        launch = Launch(
            folder=root / "serve",
            store=root / "store",
            ports=(api, management, metrics),
            redis_url=redis.url,
        )
        source = publish_all(launch.store, redis.url, backbone.spec)
        engine = expecting_engine(backbone, launch.store)
        service = Service(launch.folder, start(launch), redis, source, engine, backbone)
        try:
            yield service
        finally:
            stop(launch.folder)
            engine.close()


@pytest.fixture
def service(running: Service) -> Service:
    """The service, whole again whatever the last test did to it."""
    running.redis.start()
    wait_until("a worker is ready", running.is_ready)
    return running
