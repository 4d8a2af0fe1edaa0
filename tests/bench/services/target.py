"""A service under load: how it is asked, and which processes it has."""

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import psutil

from clients.load.closed import Ask
from serving.protocol import Answer
from tests.bench.lean_client import LeanClient


class Wire(NamedTuple):
    """How an image is sent."""

    path: str
    content_type: str
    body: Callable[[bytes], bytes]


def _in_json(image: bytes) -> bytes:
    return json.dumps({"image": base64.b64encode(image).decode()}).encode()


def _as_it_is(image: bytes) -> bytes:
    return image


LITSERVE = Wire("/predict", "application/json", _in_json)
MOSEC = Wire("/inference", "application/octet-stream", _as_it_is)
STOCK = Wire("/predictions/spt", "application/octet-stream", _as_it_is)


class PeerClient(LeanClient):
    """Asks a service that knows no tasks; what it answers is not looked into.

    Args:
        url: its address.
        wire: how it is asked.
    """

    def __init__(self, url: str, wire: Wire) -> None:
        super().__init__(url)
        self._wire = wire

    def head(self, task: str, top_k: int) -> str:
        """Return the first lines of a request."""
        return f"POST {self._wire.path} HTTP/1.1\r\nContent-Type: {self._wire.content_type}"

    def sent(self, image: bytes) -> bytes:
        """Return the body of a request."""
        return self._wire.body(image)

    def answer(self, body: bytes) -> Answer:
        """Return an answer without any label."""
        return Answer(task="plain", version="0" * 64, predictions=())


@dataclass(frozen=True)
class Served:
    """One service.

    Attributes:
        name: for people.
        asks: what it is asked.
        client: makes a new client of it.
        roots: processes that, with all below them, are the service.
    """

    name: str
    asks: Sequence[Ask]
    client: Callable[[], LeanClient]
    roots: Sequence[psutil.Process]

    def cpu_s(self, *, java: bool = True) -> float:
        """Return processor seconds that all its processes have taken, or all but Java."""
        trees = {one for root in self.roots for one in (root, *root.children(recursive=True))}
        return sum(_cpu_s(one) for one in trees if java or one.name() != "java")


def _cpu_s(process: psutil.Process) -> float:
    used = process.cpu_times()
    return used.user + used.system
