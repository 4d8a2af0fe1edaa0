"""What a reader has before a page begins: images, a store with tasks, Redis, a service."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save
from uvicorn import Config, Server

from adapters.artifact.codec import version_of
from adapters.artifact.task import Task
from adapters.redis.server import RedisServer
from adapters.store.directory import DirectoryStore
from adapters.trust.keys import generate_key
from adapters.vit.adapter import Adapter, encode
from adapters.vit.backbone import Backbone
from serving.asgi import create_app
from serving.front.launch import AsgiFront
from serving.front.protocol import BoundedProtocol
from serving.launch.launch import Launch
from tests.fakes.artifacts import make_adapter
from tests.fakes.waiting import wait_until

CLASSES = {
    "counting": ("one", "two", "three"),
    "digits": ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
    "shapes": ("disc", "square", "star"),
}
"""Of each task that is published."""

BEST = {"three": 6.0, "two": 0.0}
"""Classes that win, and by how much: pages show them."""

SIDE = 64
TOKEN = "told-to-nobody"


def adapter(backbone: Backbone, task: str, seed: int = 0) -> Adapter:
    """Return an untrained adapter whose best classes are those that pages show."""
    names = CLASSES[task]
    made = make_adapter(task, classes=len(names), seed=seed, backbone=backbone.spec)
    bias = [BEST.get(name, -6.0) for name in names]
    return replace(
        made,
        head_weight=made.head_weight * 0.01,
        head_bias=made.head_bias.new_tensor(bias),
        meta=made.meta.model_copy(update={"task": Task(id=task, class_names=names)}),
    )


def write_images(folder: Path) -> None:
    """Write `photo.jpg`, and three in `photos`."""
    (folder / "photos").mkdir()
    draws = np.random.default_rng(0)
    for name in ("photo.jpg", "photos/a.jpg", "photos/b.jpg", "photos/c.jpg"):
        pixels = draws.integers(0, 256, (SIDE, SIDE, 3), np.uint8)
        Image.fromarray(pixels).save(folder / name)


def write_head(backbone: Backbone, folder: Path) -> None:
    """Write `head.safetensors`, trained elsewhere, and `names.txt`."""
    weight = torch.ones(2, backbone.spec.width)
    (folder / "head.safetensors").write_bytes(save({"weight": weight}))
    (folder / "names.txt").write_text("rose\ntulip\n")


def publish(backbone: Backbone, folder: Path) -> dict[str, str]:
    """Publish every task, and digits four times; leave two more versions of it as files.

    Returns:
        What pages call versions of digits, and what they are called here.
    """
    store = DirectoryStore(folder / "runs" / "store")
    for task in CLASSES:
        store.publish(encode(adapter(backbone, task)))
    versions = [store.publish(encode(adapter(backbone, "digits", seed))) for seed in (1, 2, 3)]
    for name, seed in (("new", 4), ("other", 5)):
        (folder / f"{name}.safetensors").write_bytes(encode(adapter(backbone, "digits", seed)))
    generate_key(folder / "release")
    new = encode(adapter(backbone, "digits", 4))
    return {"3f2a9c": versions[0].version[:8], "9b1c40": version_of(new)[:8]}


@contextmanager
def redis(folder: Path) -> Iterator[str]:
    """Run a Redis, whose address is where `spt serve` leaves it."""
    with RedisServer(folder / "redis") as server:
        place = folder / "runs" / "serve" / "redis.url"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(server.url)
        yield server.url


@contextmanager
def answering(folder: Path) -> Iterator[str]:
    """Serve the folder's store from this process, with a token; yields the address."""
    launch = Launch(folder=folder / "runs" / "serve", front="asgi", store=folder / "runs" / "store")
    AsgiFront().configure(launch)
    token = launch.folder / "inference.token"
    token.write_text(TOKEN)
    logger = logging.getLogger("serving")
    level = logger.level
    app = create_app(launch.folder, token)
    config = Config(app, port=0, http=BoundedProtocol, ws="none", log_level="critical")
    server = Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_until("it listens", lambda: server.started)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        logger.setLevel(level)
