"""What is broken: one service of 20 tasks behind keys and a token, Redis behind a proxy."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Final

import psutil
from redis import Redis

from adapters.artifact.backbone_spec import BackboneSpec
from adapters.cache.cached_store import CachedStore
from adapters.cache.redis_cache import AdapterCache
from adapters.cache.redis_keys import RedisKeys
from adapters.ports import free_ports
from adapters.redis.server import RedisServer
from adapters.store.directory import DirectoryStore
from adapters.vit.backbone import load_backbone
from clients import readiness
from clients.client import AsyncClient, Client
from clients.errors import ClientError
from serving.door.tenants import Tenant, TenantList, make_key
from serving.launch.launch import Launch
from serving.launch.running import Running
from serving.service import start, stop
from tests.e2e.service import Service
from tests.fakes.fragile import fragile_services
from tests.fakes.fragile_handler import HANG, LOSE
from tests.fakes.proxy import Proxy
from tests.fakes.waiting import wait_until
from tests.faults.scene.truth import Truth
from tests.faults.scene.versions import IMAGES, TASKS, artifact_of

TIMEOUT_S: Final = 90.0
"""Of a caller: longer than a worker takes to come back."""

HOUSE, GUEST = "house", "guest"
"""The tenants: one may ask everything, the other half of the tasks, and little."""

GUEST_PER_S: Final = 10.0
GUEST_BURST: Final = 10
"""Rows that the guest may ask, a second and at once."""

_PLENTY_PER_S: Final = 5000.0
_BANK_BYTES: Final = 32_000_000
_PATIENCE_S: Final = 120.0


@dataclass(frozen=True)
class Scene:
    """What runs, and how to reach, break and mend it.

    Attributes:
        service: what runs, its Redis, and the store as a publisher has it.
        proxy: between Redis and everybody else.
        truth: knows what must be answered.
        keys: of the tenants, by name.
    """

    service: Service
    proxy: Proxy
    truth: Truth
    keys: dict[str, str]

    @property
    def running(self) -> Running:
        """What was started."""
        return self.service.process

    @property
    def source(self) -> CachedStore:
        """The store as a publisher has it."""
        return self.service.source

    @property
    def spec(self) -> BackboneSpec:
        """The backbone that serves."""
        return self.service.backbone.spec

    @property
    def token(self) -> str:
        """TorchServe's token, as it is now."""
        assert self.running.token_file is not None
        return self.running.token_file.read_text()

    def client(self) -> Client:
        """Return a blocking client that may ask every task."""
        running = self.running
        key, token = self.keys[HOUSE], running.token_file
        return Client(running.url, timeout_s=TIMEOUT_S, retries=0, api_key=key, token_file=token)

    def async_client(self) -> AsyncClient:
        """Return the same for asyncio."""
        running = self.running
        key, token = self.keys[HOUSE], running.token_file
        return AsyncClient(
            running.url, timeout_s=TIMEOUT_S, retries=0, api_key=key, token_file=token
        )

    @cached_property
    def redis_keys(self) -> RedisKeys:
        """What the store's keys in Redis are called."""
        return RedisKeys(self.source.store.identity() or "")

    @cached_property
    def raw_redis(self) -> Redis:
        """A client of Redis that does not go through the proxy."""
        return Redis.from_url(self.service.redis.url)

    def is_ready(self) -> bool:
        """Return whether some worker is READY."""
        return readiness.is_ready(
            self.running.management_url, token_file=self.running.management_token_file
        )

    def hears_publishes(self) -> bool:
        """Return whether the service listens to what publishers announce through Redis."""
        ((_, listeners),) = self.raw_redis.pubsub_numsub(self.redis_keys.channel)
        return int(listeners) > 0

    def processes(self) -> dict[str, psutil.Process]:
        """Return the two processes of the service by what they are."""
        (java,) = self.running.alive()
        worker = self.service.worker()
        assert worker is not None, "the service has no worker"
        return {"worker": worker, "Java": java}

    def lose_device(self) -> None:
        """Have the worker's next forward fail as on a lost device, and all later ones."""
        (self.service.folder / LOSE).touch()

    def hang_store(self, does_hang: bool) -> None:
        """Have no call of the service to its store come back, or have them all."""
        demand = self.service.folder / HANG
        demand.touch() if does_hang else demand.unlink(missing_ok=True)

    def make_whole(self) -> None:
        """Mend whatever is broken, end all canaries; return once every task answers."""
        self.service.redis.start()
        self.raw_redis.config_set("maxmemory", 0)
        self.proxy.passes()
        self.hang_store(False)
        wait_until("a worker is ready", self.is_ready, timeout_s=_PATIENCE_S)
        with self.client() as client:
            for task in TASKS:
                if self.source.store.record(task).canary is not None:
                    self.source.end_canary(task)
                wait_until(f"{task} answers", partial(_answers, client, task))


def _answers(client: Client, task: str) -> bool:
    try:
        client.predict(IMAGES[0], task=task)
    except ClientError as error:
        if not error.retryable:
            raise
        return False
    return True


@contextmanager
def started(folder: Path) -> Iterator[Scene]:
    """Start everything in a folder of its own; end all of it on every way out."""
    backbone = load_backbone()
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        redis = stack.enter_context(RedisServer(folder / "redis"))
        proxy = stack.enter_context(Proxy(redis.port))
        url = f"redis://127.0.0.1:{proxy.port}/0"
        source = CachedStore(DirectoryStore(folder / "store"), AdapterCache.from_url(url))
        stack.callback(source.close)
        for task in TASKS:
            source.publish(artifact_of(task, 0, backbone.spec))
        truth = Truth(backbone, source.store.root)
        stack.callback(truth.close)
        launch, keys = _launch(folder, source.store.root, url)
        stack.callback(stop, launch.folder, draining=False)
        with fragile_services():
            running = start(launch)
        service = Service(source, truth.engine, backbone, launch.folder, running, redis)
        scene = Scene(service, proxy, truth, keys)
        stack.callback(scene.raw_redis.close)
        scene.make_whole()
        yield scene


def _launch(folder: Path, store: Path, redis_url: str) -> tuple[Launch, dict[str, str]]:
    """Return how the service is started, and the keys of its tenants."""
    tenants, keys = folder / "tenants.json", {}
    made = []
    for name, tasks, per_s, burst in (
        (HOUSE, "*", _PLENTY_PER_S, round(_PLENTY_PER_S)),
        (GUEST, "task-0*", GUEST_PER_S, GUEST_BURST),
    ):
        keys[name], digest = make_key()
        made.append(
            Tenant(name=name, keys=(digest,), tasks=(tasks,), requests_per_s=per_s, burst=burst)
        )
    tenants.write_text(TenantList(tenants=tuple(made)).model_dump_json())
    api, management, metrics = free_ports(3)
    settings = {"tenants": str(tenants), "bank_bytes": _BANK_BYTES}
    launch = Launch(
        folder=folder / "serve",
        store=store,
        ports=(api, management, metrics),
        redis_url=redis_url,
        settings=settings,
        token=True,
    )
    return launch, keys
