"""What a warm task's request costs where very many tasks exist, against a hundred tasks.

A service knows the pointers of the tasks that it is asked for, and has to hear when one moves. The
look-ups are asked alone, at a constant rate, and through the engine with the embedded backbone.
"""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np

from adapters.vit.backbone import Backbone, load_backbone
from serving.inference.bank import AdapterBank
from serving.inference.core import Core
from serving.inference.engine import Engine, Query
from serving.protocol import Answer
from serving.trunk.choose import torch_backend
from tests.bench.many_tasks import Asking, Place, place
from tests.bench.measure import Spread
from tests.bench.result import Result, Settings
from tests.fakes.tiny import image_bytes, tiny_backbone

ROWS = 8


class Plan(NamedTuple):
    """How much is measured.

    Attributes:
        tasks: that exist, and how many of them are asked, for each store.
        rate_per_s: of look-ups alone.
        window_s: of one turn of them.
        batches: of one turn of the engine.
        rounds: of turns.
    """

    tasks: tuple[tuple[int, int], ...] = ((100, 100), (100_000, 10_000))
    rate_per_s: int = 2000
    window_s: float = 4.0
    batches: int = 150
    rounds: int = 5


SHORT = Plan(((8, 8), (40, 20)), rate_per_s=200, window_s=0.3, batches=3, rounds=3)


class Seen(NamedTuple):
    """What one turn saw: seconds of each call, reads of the store and calls of Redis a second."""

    seconds: Sequence[float]
    store_per_s: float
    redis_per_s: float


def run(settings: Settings) -> Result:
    """Ask few of few tasks and many of very many, in turns."""
    plan = SHORT if settings.short else Plan()
    backbone = tiny_backbone() if settings.short else load_backbone()
    result = Result("lookups", notes=_notes(plan, backbone))
    with TemporaryDirectory() as folder, ExitStack() as running:
        places = [
            running.enter_context(place(Path(folder) / f"{tasks}", backbone.spec, tasks, asked))
            for tasks, asked in plan.tasks
        ]
        for with_redis in (True, False):
            with _watching(places, with_redis) as some:
                _measure(result, plan, some, "look-ups alone", lambda one: _lookups(plan, one))
        with _watching(places, True) as some, _engines(backbone, some) as engines:
            _measure(
                result, plan, some, "batches", lambda one: _batches(plan, one, engines[one.name])
            )
    return result


@contextmanager
def _watching(places: Sequence[Place], with_redis: bool) -> Iterator[list[Asking]]:
    """Yield a service for each place, which knows all the tasks that it is asked for."""
    some = [Asking(one, with_redis) for one in places]
    with ExitStack() as watching:
        for one in some:
            watching.enter_context(one.watching())
        yield some


def _measure(
    result: Result,
    plan: Plan,
    some: Sequence[Asking],
    what: str,
    turn: Callable[[Asking], Seen],
) -> None:
    """Take turns, and note the rows and how far the 99th percentiles are apart."""
    seen: dict[str, list[Seen]] = {one.name: [] for one in some}
    for number in range(1 + plan.rounds):
        for one in some if number % 2 else list(reversed(some)):
            seen[one.name].append(turn(one))
    for one in some:
        result.rows.append(_row(what, one, seen[one.name][1:]))
    few, many = ([_p99(turn) for turn in turns[1:]] for turns in seen.values())
    where = "with Redis" if some[0].source.cache else "without Redis"
    result.add_ratio(
        f"p99 of {what}, {where}", Spread.of([b / a for a, b in zip(few, many, strict=True)])
    )


def _lookups(plan: Plan, one: Asking) -> Seen:
    """Look tasks up at a constant rate, each time another one."""
    draw, count = random.Random(0), int(plan.rate_per_s * plan.window_s)
    tasks = draw.choices(one.asked, k=count)
    begins = time.perf_counter()

    def ask(number: int) -> float:
        time.sleep(max(0.0, begins + number / plan.rate_per_s - time.perf_counter()))
        start = time.perf_counter()
        one.source.current(tasks[number])
        return time.perf_counter() - start

    return _counted(one, lambda: [ask(number) for number in range(count)])


def _batches(plan: Plan, one: Asking, engine: Engine) -> Seen:
    """Answer batches of rows of other tasks each."""
    draw = random.Random(0)
    images = [image_bytes(number, (32, 32)) for number in range(ROWS)]

    def ask() -> float:
        tasks = draw.sample(one.asked, ROWS)
        queries = [Query(image, task) for image, task in zip(images, tasks, strict=True)]
        start = time.perf_counter()
        outcomes = engine.predict(queries)
        taken = time.perf_counter() - start
        failed = [outcome for outcome in outcomes if not isinstance(outcome, Answer)]
        if failed:
            raise failed[0]
        return taken

    return _counted(one, lambda: [ask() for _ in range(plan.batches)])


def _counted(one: Asking, work: Callable[[], Sequence[float]]) -> Seen:
    reads, calls = one.counted()
    start = time.perf_counter()
    seconds = work()
    took_s = time.perf_counter() - start
    reads_then, calls_then = one.counted()
    return Seen(seconds, (reads_then - reads) / took_s, (calls_then - calls) / took_s)


@contextmanager
def _engines(backbone: Backbone, some: Sequence[Asking]) -> Iterator[dict[str, Engine]]:
    """Yield an engine for each service, with all that it is asked for on the device."""
    with ExitStack() as closing:
        engines = {}
        for one in some:
            bank = AdapterBank(backbone, one.source, 1 << 40)
            engine = Engine(Core(torch_backend(backbone), one.source, bank))
            closing.callback(engine.close)
            engine.warm_up(one.asked)
            engines[one.name] = engine
        yield engines


def _p99(turn: Seen) -> float:
    return float(np.percentile(turn.seconds, 99))


def _row(what: str, one: Asking, turns: Sequence[Seen]) -> dict[str, Any]:
    return {
        "what": what,
        "tasks": one.name,
        "p50_ms": 1000 * median(float(np.median(turn.seconds)) for turn in turns),
        "p99_ms": 1000 * median(map(_p99, turns)),
        "store_reads_per_s": median(turn.store_per_s for turn in turns),
        "redis_calls_per_s": median(turn.redis_per_s for turn in turns),
        "count": sum(len(turn.seconds) for turn in turns),
    }


def _notes(plan: Plan, backbone: Backbone) -> list[str]:
    return [
        f"look-ups alone: {plan.rate_per_s:,} a second of tasks drawn evenly, {plan.window_s:g} s "
        f"a turn, {plan.rounds} rounds in turns; every task was looked up once before",
        f"batches: {ROWS} rows of as many tasks, one image each, {backbone.spec.name}, linear "
        f"heads, all on the device; {plan.batches} batches a turn",
        "the ratios are of the 99th percentiles of a round, many tasks over few; figures of rows "
        "are medians of the rounds",
        "store reads: of records, of the feed, and looks whether a version is held; nothing is "
        "published meanwhile",
    ]
