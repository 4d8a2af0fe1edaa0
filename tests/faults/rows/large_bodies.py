"""More megabytes at once than the front can hold: it refuses, and goes on answering."""

import time
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from typing import Final, NamedTuple

from serving.config import MAX_BODY_BYTES
from tests.faults.row import Row
from tests.faults.scene.load import steady
from tests.faults.scene.noticed import RECOVERY_S, recovery_s
from tests.faults.scene.percentile import latency_ms
from tests.faults.scene.scene import HOUSE, Scene
from tests.faults.scene.trials import another_process
from tests.faults.scene.versions import IMAGES, TASKS
from tests.faults.sizes import Sizes
from tests.faults.strangers.crowd import rush
from tests.faults.strangers.raw import let_in, post

PATIENCE_S: Final = 20.0
"""The longest that a small request may take behind a crowd of photos, on two cores."""

_EXPECTED: Final = frozenset({"200", "400", "413", "503", "507", "cut"})


class _Crowd(NamedTuple):
    """One crowd, when it came and went by `time.perf_counter`, and what it was answered."""

    name: str
    start: float
    end: float
    statuses: Mapping[str, int]


def run(scene: Scene, sizes: Sizes) -> Row:
    """Send crowds of photos, of the largest bodies, with a wrong token, and of too large ones."""
    before = scene.processes()
    with another_process(rush) as pool, steady(scene, sizes.rate_per_s) as load:
        time.sleep(sizes.phase_s)
        crowds = []
        for name, request, count in _requests(scene, sizes.crowd):
            crowds.append(_send(pool, scene, name, request, count))
            time.sleep(min(RECOVERY_S, 2 * sizes.phase_s))
    after = scene.processes()
    quiet = load.between(0, crowds[0].start)
    during = [one for crowd in crowds for one in load.between(crowd.start, crowd.end)]
    back_s = max(recovery_s(load, crowd.end) for crowd in crowds)
    longest_s = max((one.latency_s for one in load.outcomes), default=0.0)
    must_be_0 = {
        "processes that ended": sum(before[name] != after[name] for name in before),
        "small requests that failed with no word to try again": sum(
            one.error is None or not one.error.retryable for one in load.failed()
        ),
        "answers that are not their version's": len(scene.truth.wrong(load.said())),
        "answers to the crowd with another status": sum(
            count
            for crowd in crowds
            for status, count in crowd.statuses.items()
            if status not in _EXPECTED
        ),
    }
    return Row(
        fault=f"{sizes.crowd} photos of 3 MB at once; a third as many bodies of the largest size, "
        "with the token and with a wrong one; and as many that are too large",
        goal=f"refused or answered; small requests go on, as before {RECOVERY_S:g} s later",
        figure=f"small requests: p99 {latency_ms(quiet, 0.99):.0f} ms before, "
        f"{latency_ms(during, 0.99):.0f} ms during, longest {longest_s:.1f} s, "
        f"{len(load.failed())} of {len(load.outcomes):,} told to try again; recovered after "
        f"{back_s:.1f} s",
        must_be_0=must_be_0,
        in_bounds=back_s <= RECOVERY_S and longest_s <= PATIENCE_S,
        conditions={
            "small_requests_per_s": sizes.rate_per_s,
            "crowds": {crowd.name: dict(crowd.statuses) for crowd in crowds},
            "seconds_of_each": [round(crowd.end - crowd.start, 1) for crowd in crowds],
            "failures": load.errors(),
        },
    )


def _requests(scene: Scene, crowd: int) -> list[tuple[str, bytes, int]]:
    token, key, few = scene.token, scene.keys[HOUSE], max(2, crowd // 3)
    largest = _padded(MAX_BODY_BYTES)
    return [
        ("photos of 3 MB", let_in(_padded(3_000_000), token, key), crowd),
        ("the largest bodies", let_in(largest, token, key), few),
        ("the same with a wrong token", let_in(largest, "wrong", key), few),
        ("twice the largest", let_in(_padded(2 * MAX_BODY_BYTES), token, key), few),
    ]


def _padded(size: int) -> bytes:
    """Return a good request whose body has so many bytes."""
    return post(f"task={TASKS[0]}", IMAGES[0] + bytes(size - len(IMAGES[0])))


def _send(pool: ProcessPoolExecutor, scene: Scene, name: str, request: bytes, count: int) -> _Crowd:
    start = time.perf_counter()
    statuses = pool.submit(rush, scene.running.url, request, count).result()
    return _Crowd(name, start, time.perf_counter(), statuses)
