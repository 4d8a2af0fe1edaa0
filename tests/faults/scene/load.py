"""Requests that go on in a thread of their own while something is broken."""

import asyncio
import gc
import itertools
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Self

from clients.load.closed import Ask, Outcome, Predicting, run_load
from clients.load.open import run_rate
from clients.wire import BatchInfo
from serving.protocol import Answer
from tests.fakes.waiting import wait_until
from tests.faults.scene.scene import Scene
from tests.faults.scene.truth import Said
from tests.faults.scene.versions import IMAGES, TASKS

ASKS = tuple(
    Ask(image, task, top_k=1 + i % 7)
    for i, (image, task) in enumerate(itertools.product(IMAGES, TASKS))
)
"""Every task about every image, so that batches mix tasks."""

_FOR_EVER_S = 24 * 3600.0
Run = Callable[[Predicting, Iterator[Ask]], Awaitable[Sequence[Outcome]]]


class Load:
    """Asks while the `with` block runs; afterwards `outcomes` is what became of every request.

    Times are seconds of `time.perf_counter`.

    Args:
        scene: its service is asked, with the key of the tenant who may ask everything.
        run: sends what it is given until that ends.
    """

    def __init__(self, scene: Scene, run: Run) -> None:
        self.outcomes: Sequence[Outcome] = ()
        self._scene = scene
        self._run = run
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._work, name="load")
        self._num_answered = 0
        self._began = 0.0
        self._failure: BaseException | None = None

    def __enter__(self) -> Self:
        gc.collect()
        gc.freeze()  # or the collector stops this load for a third of a second, now and then
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._end.set()
        self._thread.join()
        if self._failure is not None and kind is None:
            raise self._failure

    def wait_for_more(self, count: int) -> None:
        """Return once so many more requests were answered or refused."""
        wanted = self._num_answered + count
        wait_until(
            f"{count} more answers came",
            lambda: self._num_answered >= wanted or not self._thread.is_alive(),
            timeout_s=120,
        )

    def sent_at(self, outcome: Outcome) -> float:
        """Return when a request was sent; at a constant rate, when it was due."""
        return self._began + outcome.started_s

    def done_at(self, outcome: Outcome) -> float:
        """Return when its answer came."""
        return self.sent_at(outcome) + outcome.latency_s

    def ask_of(self, outcome: Outcome) -> Ask:
        """Return what was asked."""
        return ASKS[outcome.ask_index % len(ASKS)]

    def said(self) -> list[Said]:
        """Return every answer beside what was asked, in the order of `answered`."""
        return [Said(self.ask_of(one), one.answer) for one in self.outcomes if one.answer]

    def answered(self) -> list[Outcome]:
        """Return what was answered."""
        return [one for one in self.outcomes if one.answer]

    def failed(self) -> list[Outcome]:
        """Return what was not answered."""
        return [one for one in self.outcomes if one.error is not None]

    def errors(self) -> dict[str, int]:
        """Return what the refusals said, and how often."""
        return dict(Counter(f"{type(one.error).__name__}: {one.error}" for one in self.failed()))

    def between(self, start: float, end: float) -> list[Outcome]:
        """Return what was sent between two moments."""
        return [one for one in self.outcomes if start <= self.sent_at(one) < end]

    def _work(self) -> None:
        try:
            self.outcomes = asyncio.run(self._ask())
        except BaseException as error:
            self._failure = error

    async def _ask(self) -> Sequence[Outcome]:
        async with self._scene.async_client() as client:
            self._began = time.perf_counter()
            return await self._run(_Counting(client, self), self._asks())

    def _asks(self) -> Iterator[Ask]:
        return itertools.takewhile(lambda _: not self._end.is_set(), itertools.cycle(ASKS))

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count a request as answered or refused when the block ends."""
        try:
            yield
        finally:
            self._num_answered += 1


class _Counting:
    """A client whose requests a load counts."""

    def __init__(self, client: Predicting, load: Load) -> None:
        self._client = client
        self._load = load

    async def predict_with_batch(
        self, image: bytes, *, task: str, top_k: int
    ) -> tuple[Answer, BatchInfo | None]:
        with self._load.counted():
            return await self._client.predict_with_batch(image, task=task, top_k=top_k)


def steady(scene: Scene, rate_per_s: float) -> Load:
    """Return a load of so many requests a second, whatever the service does."""

    async def run(client: Predicting, asks: Iterator[Ask]) -> Sequence[Outcome]:
        return (await run_rate(client, asks, rate_per_s, _FOR_EVER_S)).outcomes

    return Load(scene, run)


def callers(scene: Scene, count: int) -> Load:
    """Return a load of so many callers who wait for an answer, then ask again."""

    async def run(client: Predicting, asks: Iterator[Ask]) -> Sequence[Outcome]:
        return await run_load(client, asks, concurrency=count)

    return Load(scene, run)
