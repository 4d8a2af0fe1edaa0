"""Callers who say nothing, or never come to an end: nobody waits for them."""

import time
from typing import Final

from tests.faults.row import Row
from tests.faults.scene.load import steady
from tests.faults.scene.percentile import latency_ms
from tests.faults.scene.scene import HOUSE, Scene
from tests.faults.scene.trials import another_process
from tests.faults.scene.versions import IMAGES, TASKS
from tests.faults.sizes import Sizes
from tests.faults.strangers.crowd import linger
from tests.faults.strangers.raw import let_in, post

SLOWER: Final = 1.5
"""The goal for the others' p99."""

_HELLO_S: Final = 1.0
"""In which they all connect: not compared."""


def run(scene: Scene, sizes: Sizes) -> Row:
    """Hold idle connections and slow senders, between two phases without."""
    before = scene.processes()
    seconds = max(sizes.phase_s, 2.0) + 2 * _HELLO_S
    with another_process(linger) as pool, steady(scene, sizes.rate_per_s) as load:
        load.wait_for_more(len(TASKS))
        began = time.perf_counter()
        time.sleep(seconds)
        start = time.perf_counter()
        held = pool.submit(linger, scene.running.url, _beginnings(scene, sizes.idle), seconds)
        stood = held.result()
        end = time.perf_counter()
    after = scene.processes()
    quiet, crowded = load.between(began, start), load.between(start + _HELLO_S, end)
    ratio = latency_ms(crowded, 0.99) / latency_ms(quiet, 0.99)
    return Row(
        fault=f"{sizes.idle} idle connections and {sizes.idle // 4} callers who send a byte now "
        "and then",
        goal=f"nobody else notices; p99 at most {SLOWER} times what it is without them",
        figure=f"{stood} stood to the end; others: {len(load.failed())} of "
        f"{len(load.outcomes):,} failed, p99 x {ratio:.2f}",
        must_be_0={
            "processes that ended": sum(before[name] != after[name] for name in before),
            "requests of others that failed": len(load.failed()),
            "answers that are not their version's": len(scene.truth.wrong(load.said())),
        },
        in_bounds=ratio <= SLOWER,
        conditions={"others_requests_per_s": sizes.rate_per_s, "failures": load.errors()},
    )


def _beginnings(scene: Scene, idle: int) -> list[bytes]:
    """Return what each says at first: nothing, or three megabytes' head and its first bytes."""
    whole = post(f"task={TASKS[0]}", IMAGES[0] + bytes(3_000_000 - len(IMAGES[0])))
    head = let_in(whole, scene.token, scene.keys[HOUSE])[:2000]
    return [b""] * idle + [head] * (idle // 4)
