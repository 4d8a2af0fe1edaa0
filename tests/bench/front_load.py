"""Batches of different photos and tasks, asked from several threads for a while. Loads no torch."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count

from serving.protocol import Answer
from serving.rows.query import Outcome, Query
from tests.bench.photos import photos

TASKS = [f"task-{number}" for number in range(16)]
SIZE = (500, 375)

Predict = Callable[[Sequence[Query]], list[Outcome]]


class Load:
    """Callers that ask as fast as they are answered.

    Args:
        predict: answers a batch.
        threads: that ask.
        batch: rows of a call.
    """

    def __init__(self, predict: Predict, threads: int, batch: int) -> None:
        self._predict = predict
        self._threads = threads
        images = photos(threads * batch, [SIZE])
        self._batches = [images[start::threads] for start in range(threads)]

    def run(self, seconds: str) -> float:
        """Ask for so long; return how many images were answered until the last was."""
        ends = time.perf_counter() + float(seconds)
        with ThreadPoolExecutor(self._threads) as pool:
            return sum(pool.map(lambda images: self._ask(images, ends), self._batches))

    def _ask(self, images: Sequence[bytes], ends: float) -> int:
        for calls in count():
            if time.perf_counter() >= ends:
                return calls * len(images)
            queries = [Query(image, TASKS[i % len(TASKS)]) for i, image in enumerate(images)]
            outcomes = self._predict(queries)
            wrong = [one for one in outcomes if not isinstance(one, Answer)]
            if wrong:
                raise RuntimeError(f"{len(wrong)} queries were refused, first: {wrong[0]!r}")
        raise AssertionError
