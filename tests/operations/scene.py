"""A service with tenants, canaries, a shadow and little room, under load; Prometheus scrapes it."""

import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import yaml

from adapters.ports import free_ports
from adapters.redis.server import RedisServer
from adapters.vit.adapter import encode
from clients.client import Client
from clients.errors import ClientError
from serving.door.tenants import Tenant, TenantList, make_key
from serving.launch.launch import Launch
from serving.service import start, stop
from tests.e2e.service import IMAGES, TASKS, Published, published_in
from tests.fakes.artifacts import make_adapter
from tests.operations.tools import FILES, prometheus

HOST = "127.0.0.2"
"""Another address than the usual one, so that `--host` is tried as well."""

_CALLERS = 3
_ROOM_BYTES = 60_000
"""For two of the four tasks or so: each answer evicts what the next one needs."""

_AS_IN_KUBERNETES = {"namespace": "vision", "pod": "pets-0"}

BROKEN = "broken"
"""A task that is asked for from the start, and not published yet."""


@dataclass
class Scene:
    """What runs, and what can be done to it."""

    published: Published
    redis: RedisServer
    folder: Path
    prometheus: str

    def damage(self, task: str) -> None:
        """Publish a version and spoil it; the one before answers, if there is one."""
        store, spec = self.published.source.store, self.published.backbone.spec
        adapter = make_adapter(task, seed=9, backbone=spec)
        pointer = self.published.source.publish(encode(adapter))
        artifact = store.files.artifact(task, pointer.version)
        artifact.chmod(0o600)
        artifact.write_bytes(artifact.read_bytes()[:-1])

    def take_store_away(self) -> None:
        """Let the store's folder be gone."""
        root = self.published.source.store.root
        root.rename(root.with_name("away"))


@contextmanager
def scene(folder: Path) -> Iterator[Scene]:
    """Start everything in a folder, and end it."""
    with (
        RedisServer(folder / "redis") as redis,
        published_in(folder / "store", redis.url) as published,
    ):
        for task in TASKS[:2]:
            canary = make_adapter(task, seed=7, backbone=published.backbone.spec)
            published.source.publish(encode(canary), canary=0.5)
        shadow = make_adapter(TASKS[2], seed=7, backbone=published.backbone.spec)
        published.source.publish(encode(shadow), shadow=1.0)
        key, tenants = _tenants(folder / "tenants.json")
        launch = Launch(
            folder=folder / "serve",
            front="asgi",
            host=HOST,
            ports=free_ports(3),
            store=published.source.store.root,
            redis_url=redis.url,
            settings={
                "tenants": str(tenants),
                "bank_bytes": _ROOM_BYTES,
                "front_workers": 1,
                "load_patience_s": 60,
            },
        )
        start(launch)
        try:
            url = f"http://{HOST}:{launch.ports[0]}"
            with _prometheus(folder, launch.ports[0]) as address, _load(url, key):
                yield Scene(published, redis, launch.folder, address)
        finally:
            stop(launch.folder, draining=False)


def _tenants(path: Path) -> tuple[str, Path]:
    key, digest = make_key()
    house = Tenant(name="house", keys=(digest,), tasks=("*",), requests_per_s=1e4, burst=10**4)
    path.write_text(TenantList(tenants=(house,)).model_dump_json())
    return key, path


@contextmanager
def _prometheus(folder: Path, port: int) -> Iterator[str]:
    """Run Prometheus with our configuration: every second, and alerts that wait for nothing."""
    own = folder / "prometheus"
    own.mkdir()
    config = yaml.safe_load((FILES / "prometheus" / "scrape.yaml").read_text())
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    (job,) = config["scrape_configs"]
    job["static_configs"] = [{"targets": [f"{HOST}:{port}"], "labels": _AS_IN_KUBERNETES}]
    (own / "scrape.yaml").write_text(yaml.safe_dump(config))
    rules = yaml.safe_load((FILES / "prometheus" / "alerts.yaml").read_text())
    (own / "alerts.yaml").write_text(yaml.safe_dump(_at_once(rules)))
    (own_port,) = free_ports(1)
    command = [str(prometheus("prometheus")), f"--config.file={own / 'scrape.yaml'}"]
    command += [f"--storage.tsdb.path={own / 'data'}"]
    command += [f"--web.listen-address=127.0.0.1:{own_port}"]
    with (own / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        yield f"http://127.0.0.1:{own_port}"
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(own / "data", ignore_errors=True)


def _at_once(rules: dict[str, Any]) -> dict[str, Any]:
    for group in rules["groups"]:
        for rule in group["rules"]:
            del rule["for"]
    return rules


@contextmanager
def _load(url: str, key: str) -> Iterator[None]:
    """Ask all tasks as fast as they are answered; every tenth call is one that must be refused."""
    ending = threading.Event()

    def ask(number: int) -> None:
        with (
            Client(url, timeout_s=60, retries=0, api_key=key) as client,
            Client(url, timeout_s=60, retries=0, api_key="a-strangers") as stranger,
        ):
            for turn in count(number):
                if ending.is_set():
                    return
                task = (*TASKS, BROKEN)[turn % (len(TASKS) + 1)]
                image = b"none" if turn % 7 == 0 else IMAGES[turn % len(IMAGES)]
                with suppress(ClientError):
                    (stranger if turn % 10 == 0 else client).predict(image, task=task)

    callers = [threading.Thread(target=ask, args=[number]) for number in range(_CALLERS)]
    for caller in callers:
        caller.start()
    try:
        yield
    finally:
        ending.set()
        for caller in callers:
            caller.join()
