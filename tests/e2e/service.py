"""The service under test, what it must answer, and the load to put on it."""

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx
import psutil

from adapters.artifact.backbone_spec import BackboneSpec
from adapters.cache.cached_store import CachedStore
from adapters.cache.redis_cache import AdapterCache
from adapters.redis.server import RedisServer
from adapters.store.directory import DirectoryStore
from adapters.vit.adapter import Adapter, encode
from adapters.vit.backbone import Backbone, load_backbone
from clients import readiness
from clients.client import Client
from clients.connection import async_http
from clients.errors import ClientError, NotReady, ServiceUnreachable
from clients.load.closed import Ask
from serving.decoding.decoder import DecoderSettings
from serving.inference.bank import AdapterBank
from serving.inference.core import Core
from serving.inference.engine import Engine, Query
from serving.launch.running import Running, read
from serving.protocol import MAX_LOGITS_BYTES, Answer, floats
from serving.rows.query import Extras
from serving.trunk.choose import torch_backend
from tests.fakes import hostile
from tests.fakes.artifacts import make_adapter
from tests.fakes.waiting import wait_until
from tests.fakes.workers import workers_of

TASKS = ("deep", "deeper", "shallow", "plain")
"""Tasks whose adapters fit; every one has another form and another number of classes."""

REDIS_PASSWORD = "told-to-nobody"

FOREIGN = "foreign"
FOREIGN_BACKBONE = "vit_base_patch16_224.augreg_in21k"
IMAGES = tuple(case.data for case in hostile.good_images())


@dataclass(frozen=True)
class Published:
    """Adapters in a store, and an engine in this process that knows what they must answer."""

    source: CachedStore
    engine: Engine
    backbone: Backbone

    def served(self, folder: Path, redis: RedisServer | None = None) -> "Service":
        """Return the service that runs in a folder, on this store."""
        return Service(self.source, self.engine, self.backbone, folder, read(folder), redis)

    def assert_right(self, ask: Ask, found: Answer) -> None:
        """Assert that the engine of this process, asked alone, has the same answer.

        The version that answered counts: top class exactly, scores to 1e-5.
        """
        expected = _alone(self.engine, ask.image, ask.task, ask.top_k, found.version)
        assert (found.task, found.version) == (expected.task, expected.version)
        assert found.predictions[0].index == expected.predictions[0].index
        assert len(found.predictions) == len(expected.predictions)
        for one, other in zip(found.predictions, expected.predictions, strict=True):
            assert abs(one.score - other.score) < 1e-5


@dataclass(frozen=True)
class Service(Published):
    """What runs in a folder and answers from such a store."""

    folder: Path
    process: Running
    redis: RedisServer | None

    @property
    def url(self) -> str:
        return self.process.url

    @property
    def log(self) -> Path:
        return self.folder / "logs" / "torchserve.log"

    def is_ready(self) -> bool:
        return readiness.is_ready(
            self.process.management_url,
            url=self.url,
            token_file=self.process.management_token_file,
        )

    def client(self, retries: int = 0) -> Client:
        return Client(self.url, timeout_s=60, retries=retries, token_file=self.process.token_file)

    def http(self) -> httpx.AsyncClient:
        """Return a bare client, for what ours would not send."""
        return async_http(self.url, 60)

    def plain_http(self) -> httpx.Client:
        """Return a blocking one that adds no header of ours."""
        return httpx.Client(base_url=self.url, timeout=60, trust_env=False)

    def assert_numbers(self, image: bytes, task: str) -> None:
        """Assert that a caller is told the feature, logits and attention that the engine has."""
        asked = Extras(embed=True, logits_bytes=MAX_LOGITS_BYTES, attention_bytes=10_000)
        (expected,) = self.engine.predict([Query(image, task, extras=asked)])
        with self.client() as client:
            found = client.predict(image, task=task, embed=True, logits=True, attention=True)
        assert isinstance(expected, Answer)
        assert found.class_names == expected.class_names
        assert expected.attention is not None
        assert found.attention is not None
        for one, other in (
            (found.embedding, expected.embedding),
            (found.logits, expected.logits),
            (found.attention.values, expected.attention.values),
        ):
            assert one is not None
            assert other is not None
            assert max(abs(a - b) for a, b in zip(floats(one), floats(other), strict=True)) < 1e-4

    def worker(self) -> psutil.Process | None:
        """Return the Python process that holds the model, None while there is none."""
        return next(iter(workers_of(self.process)), None)


@cache
def _alone(engine: Engine, image: bytes, task: str, top_k: int, version: str) -> Answer:
    (outcome,) = engine.predict([Query(image, task, top_k, version)])
    assert isinstance(outcome, Answer), outcome
    return outcome


def adapters_of(spec: BackboneSpec) -> list[Adapter]:
    """Return untrained adapters of every form, and one made for another backbone."""
    cls = spec.model_copy(update={"pooling": "cls", "final_norm": "before-pooling"})
    foreign = spec.model_copy(update={"name": FOREIGN_BACKBONE, "weights_sha256": "ef" * 32})
    return [
        softer(make_adapter("deep", classes=3, prompts=4, seed=1, backbone=spec)),
        softer(
            make_adapter("deeper", classes=7, prompts=20, seed=2, temperature=0.4, backbone=cls)
        ),
        softer(
            make_adapter(
                "shallow", classes=11, prompts=10, seed=3, method="spt-shallow", backbone=spec
            )
        ),
        softer(make_adapter("plain", classes=2, seed=4, method="linear", backbone=cls)),
        make_adapter(FOREIGN, backbone=foreign),
    ]


def softer(adapter: Adapter) -> Adapter:
    """Return the adapter with a head whose scores are neither 0 nor 1."""
    return replace(adapter, head_weight=adapter.head_weight * 0.05)


@contextmanager
def published_in(root: Path, redis_url: str | None = None) -> Iterator[Published]:
    """Publish the adapters to a new store."""
    backbone = load_backbone()
    source = publish_all(root, redis_url, backbone.spec)
    engine = expecting_engine(backbone, root)
    try:
        yield Published(source, engine, backbone)
    finally:
        engine.close()


def publish_all(root: Path, redis_url: str | None, spec: BackboneSpec) -> CachedStore:
    """Publish the adapters to a new store; return it as a publisher uses it."""
    cache = None
    if redis_url is not None:
        cache = AdapterCache.from_url(redis_url, timeout_s=5.0, retry_after_s=0.05)
    source = CachedStore(DirectoryStore(root), cache)
    for adapter in adapters_of(spec):
        source.publish(encode(adapter))
    return source


def expecting_engine(backbone: Backbone, root: Path) -> Engine:
    """Return an engine of this process on the same store, without Redis."""
    source = CachedStore(DirectoryStore(root), pointer_ttl_s=0.0)
    bank = AdapterBank(backbone, source, 1 << 30)
    return Engine(
        Core(torch_backend(backbone), source, bank),
        decoding=DecoderSettings(threads=1),
        patience_s=60.0,
    )


def asks(count: int) -> list[Ask]:
    """Return so many good requests, over all tasks and images."""
    return [
        Ask(IMAGES[i % len(IMAGES)], TASKS[i % len(TASKS)], top_k=1 + i % 7) for i in range(count)
    ]


@dataclass(frozen=True)
class Answered:
    """One answer under load, and when it was asked for."""

    asked_at: float
    ask: Ask
    answer: Answer


class Load:
    """Callers that ask and ask while the `with` block runs; afterwards, what they got."""

    def __init__(self, service: Service, asks: Sequence[Ask], callers: int = 3) -> None:
        self.answered: list[Answered] = []
        self.errors: list[ClientError] = []
        self._service = service
        self._asks = asks
        self._callers = callers
        self._end = threading.Event()
        self._pool = ThreadPoolExecutor(callers)

    def __enter__(self) -> Self:
        self._jobs = [self._pool.submit(self._call, i) for i in range(self._callers)]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end.set()
        self._pool.shutdown()
        if error is None:
            for job in self._jobs:
                job.result()

    def _call(self, first: int) -> None:
        with self._service.client() as client:
            while not self._end.is_set():
                for ask in self._asks[first :: self._callers]:
                    self._ask_once(client, ask)

    def _ask_once(self, client: Client, ask: Ask) -> None:
        asked_at = time.monotonic()
        try:
            answer = client.predict(ask.image, task=ask.task, top_k=ask.top_k)
        except ClientError as error:
            self.errors.append(error)
        else:
            self.answered.append(Answered(asked_at, ask, answer))

    def wait_for_refusals(self) -> None:
        """Return once each caller can have met the end: so many more calls failed."""
        wanted = len(self.errors) + self._callers
        wait_until("callers are refused", lambda: len(self.errors) >= wanted)

    def wait_for_more(self, count: int) -> None:
        """Return once so many more answers came."""
        wanted = len(self.answered) + count
        wait_until(f"{count} more answers came", lambda: len(self.answered) >= wanted)


def is_clean(error: ClientError) -> bool:
    """Return whether a caller was told no before anything of his call was done."""
    if isinstance(error, NotReady):
        return (error.status, error.code) == (503, "not_ready")
    return isinstance(error, ServiceUnreachable) and isinstance(error.__cause__, httpx.ConnectError)


def assert_drained(service: Service, load: Load) -> None:
    """Assert that every call was answered or refused, and none was cut off."""
    assert [repr(error.__cause__ or error) for error in load.errors if not is_clean(error)] == []
    assert any(isinstance(error, ServiceUnreachable) for error in load.errors)
    for one in load.answered:
        service.assert_right(one.ask, one.answer)
