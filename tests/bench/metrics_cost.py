"""`python -m tests.bench.metrics_cost`: processor time of a batch and of a request, counted or not.

The batch goes through the whole engine, on a backbone of three blocks of width 16. The request goes
through the ASGI app, with an engine that answers at once. So nothing hides what counting costs. It
is the same on any backbone. Both take turns with themselves, counted and not. Of a batch it is the
time of the thread that asks, which does all counting; of a request that of all threads.
"""

import argparse
import asyncio
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from adapters.cache.cached_store import CachedStore
from adapters.store.directory import DirectoryStore
from adapters.vit.adapter import encode
from serving.door.admission import Admission
from serving.door.rate_limit import RateLimit
from serving.front.app import build_app
from serving.front.predict import Bounds
from serving.health.heartbeat import Heartbeat
from serving.health.vitals import Vitals
from serving.inference.bank import AdapterBank
from serving.inference.core import Core
from serving.inference.engine import Engine
from serving.metrics.begin import begin_metrics
from serving.observing.observer import Observer
from serving.observing.observers import OBSERVERS
from serving.rows.query import Query
from serving.trunk.choose import torch_backend
from tests.bench.front_cost import NoEngine
from tests.bench.measure import Spread, in_turns
from tests.fakes.artifacts import make_adapter
from tests.fakes.asgi_caller import Caller, sized
from tests.fakes.tiny import image_bytes, tiny_backbone

ROWS = 16
BODY = os.urandom(60_000)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--times", type=int, default=20, help="of each in one turn")
    parser.add_argument("--files", action="store_true", help="count in files, as processes do")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        metrics = begin_metrics(Path(folder) / "metrics" if args.files else None)
        metrics.close()
        with batches(Path(folder) / "store") as batch:
            engine = Work("batch of 16 rows", batch, args.times, time.thread_time)
            compare(engine, metrics.observer, args.rounds)
        front = Work("request", requests(), 10 * args.times, time.process_time)
        compare(front, metrics.observer, args.rounds)


class Work(NamedTuple):
    """What is measured.

    Attributes:
        name: of one piece.
        do: so many pieces.
        times: pieces of one turn.
        clock: seconds of the processor.
    """

    name: str
    do: Callable[[int], None]
    times: int
    clock: Callable[[], float]


def compare(work: Work, observer: Observer, rounds: int) -> None:
    """Print the processor time of some work, counted and not."""

    def counted() -> None:
        with OBSERVERS.hearing(observer):
            work.do(work.times)

    turns = {"counted": counted, "not": lambda: work.do(work.times)}
    seconds = in_turns(turns, rounds, clock=work.clock)
    ms = {name: Spread.of(taken).times(1000 / work.times) for name, taken in seconds.items()}
    pairs = zip(seconds["counted"], seconds["not"], strict=True)
    more = Spread.of([one - other for one, other in pairs]).times(1e6 / work.times)
    print(
        f"{work.name}: {ms['not'].median:.3f} ms, counted {ms['counted'].median:.3f} ms; "
        f"{more.median:.0f} microseconds more ({more.low:.0f} to {more.high:.0f})"
    )


@contextmanager
def batches(root: Path) -> Iterator[Callable[[int], None]]:
    """Give the block what has batches of distinct tasks answered, so many times."""
    backbone = tiny_backbone()
    source = CachedStore(DirectoryStore(root))
    for i in range(ROWS):
        source.publish(encode(make_adapter(f"task{i}", seed=i, backbone=backbone.spec)))
    core = Core(torch_backend(backbone), source, AdapterBank(backbone, source, 1 << 30))
    engine = Engine(core)
    queries = [Query(image_bytes(i), f"task{i}") for i in range(ROWS)]

    def answer(times: int) -> None:
        for _ in range(times):
            engine.predict(queries)

    answer(3)
    yield answer
    engine.close()
    source.close()


def requests() -> Callable[[int], None]:
    """Return what has requests answered over ASGI, so many times."""
    vitals = Vitals(Heartbeat(None), lambda: None)
    bounds = Bounds(10_000_000, 1 << 30, 64)
    app = build_app(NoEngine(), Admission(None, RateLimit()), vitals, bounds)

    async def ask(times: int) -> None:
        for _ in range(times):
            await Caller(headers=sized(BODY)).say(BODY).ask(app)

    return lambda times: asyncio.run(ask(times))


if __name__ == "__main__":
    main()
