"""The ASGI front with a real engine on the tiny backbone, in this process; and behind a socket."""

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from starlette.applications import Starlette
from uvicorn import Config, Server

import serving.build
from adapters.store.directory import DirectoryStore
from adapters.vit.adapter import Adapter, encode
from adapters.vit.backbone import Backbone
from serving.build_front import build_admission, decoder_settings
from serving.config import ServingConfig
from serving.device.device import Device
from serving.device.local import LocalDevice
from serving.front.app import build_app
from serving.front.predict import Bounds
from serving.front.protocol import BoundedProtocol
from serving.front.token import TokenFile
from serving.health.heartbeat import Heartbeat
from serving.health.vitals import Vitals
from serving.runtime.front_engine import FrontEngine
from tests.fakes.waiting import wait_until

Tenants = Sequence[Mapping[str, Any]]


def tiny_front(
    folder: Path,
    backbone: Backbone,
    adapters: Sequence[Adapter],
    *,
    tenants: Tenants | None = None,
    token: Path | None = None,
) -> Starlette:
    """Return an app that answers for some adapters; its lifespan closes what it holds.

    Args:
        folder: for the store.
        backbone: what the adapters are for.
        adapters: published one after the other, a second one of a task as its canary.
        tenants: as in the file of tenants; None lets anyone in.
        token: a file with what callers must show.
    """
    store = DirectoryStore(folder / "store")
    seen: set[str] = set()
    for adapter in adapters:
        task = adapter.meta.task.id
        store.publish(encode(adapter), canary=0.5 if task in seen else None)
        seen.add(task)
    path = None
    if tenants is not None:
        path = folder / "tenants.json"
        path.write_text(json.dumps({"tenants": list(tenants)}))
    config = ServingConfig(store=store.root, tenants=path, max_batch=4)
    with patch.object(serving.build, "load_backbone", lambda *_, **__: backbone):
        core = serving.build.build_core(config)
    device = LocalDevice(Device(core, max_batch=config.max_batch, patience_s=60.0), core)
    engine = FrontEngine(device, decoder_settings(config), 60.0)
    return build_app(
        engine,
        build_admission(config),
        Vitals(Heartbeat(None), engine.probe),
        Bounds(config.image_limits.max_bytes, 1 << 30, threads=2),
        token=None if token is None else TokenFile(token),
    )


@contextmanager
def listening_app(app: Starlette) -> Iterator[str]:
    """Have an app answer over HTTP as the front does; yields its address."""
    config = Config(app, port=0, http=BoundedProtocol, ws="none", log_level="critical")
    server = Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_until("it listens", lambda: server.started)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(60)
    assert not thread.is_alive()
