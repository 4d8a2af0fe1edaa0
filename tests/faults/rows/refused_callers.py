"""Callers who may not: each is refused, and those who may notice nothing."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from serving.door.tenants import make_key
from serving.service import rotate
from tests.faults.row import Row
from tests.faults.scene.load import Load, steady
from tests.faults.scene.percentile import latency_ms
from tests.faults.scene.scene import GUEST, GUEST_BURST, GUEST_PER_S, HOUSE, Scene
from tests.faults.scene.trials import another_process
from tests.faults.scene.versions import IMAGES, TASKS
from tests.faults.sizes import Sizes
from tests.faults.strangers.flood import Refusal, flood
from tests.faults.strangers.raw import exchange, let_in, post

SLOWER: Final = 1.1
"""The goal for the other tenants' p99."""

TIMES: Final = 10
_THEIRS, _MADE_UP = TASKS[-1], "task-99"
"""A task of others and one of nobody."""

_SLACK: Final = 1.1
_STEP_S: Final = 0.2
_BURST_S: Final = 1.0
"""In which the guest spends what it may ask at once, at the start of each phase: not compared."""

LET_IN, OTHERWISE, TELLING, BEYOND, CUT, WRONG = (
    "callers let in who may not",
    "callers refused with another status or code",
    "refusals that tell whether the task exists",
    "rows answered beyond the rate",
    "requests of those who may that failed",
    "answers that are not their version's",
)
_Slice = tuple[float, float]


@dataclass(frozen=True)
class _Floods:
    """What the flood was answered, and when the guest asked little and too much.

    Times are seconds of `time.perf_counter`.
    """

    answers: list[Refusal | None]
    quiet: list[_Slice]
    flooded: list[_Slice]

    @property
    def answered(self) -> int:
        """Rows of the flood that were."""
        return sum(one is not None and one.status == 200 for one in self.answers)

    @property
    def refused(self) -> int:
        """Rows that were told to come back later."""
        return sum(
            one is not None and one.status == 429 and one.retry_after_s is not None
            for one in self.answers
        )

    @property
    def allowed(self) -> float:
        """Rows that the guest may ask in that time."""
        return sum(GUEST_BURST + GUEST_PER_S * (end - start) for start, end in self.flooded)


def run(scene: Scene, sizes: Sizes) -> Row:
    """Try every door, then flood one, while a tenant who may asks on."""
    must_be_0 = Counter(dict.fromkeys((LET_IN, OTHERWISE, TELLING, BEYOND, CUT, WRONG), 0))
    with steady(scene, sizes.rate_per_s) as load:
        load.wait_for_more(len(TASKS))
        for _ in range(sizes.doors):
            must_be_0.update(asyncio.run(_try_doors(scene)))
        floods = _flood_in_turns(scene, sizes)
    must_be_0[OTHERWISE] += len(floods.answers) - floods.answered - floods.refused
    must_be_0[BEYOND] = max(0, floods.answered - round(_SLACK * floods.allowed))
    must_be_0[CUT] = len(load.failed())
    must_be_0[WRONG] = len(scene.truth.wrong(load.said()))
    pairs = [_ratio(load, [a], [b]) for a, b in zip(floods.quiet, floods.flooded, strict=True)]
    ratio = _ratio(load, floods.quiet, floods.flooded)
    return Row(
        fault=f"wrong key, expired token, another tenant's task, {TIMES} times the rate limit",
        goal=f"refused; the other tenants' p99 at most {SLOWER} times what it is within the limit",
        figure=f"{must_be_0[LET_IN]} let in; {floods.refused:,} of the flood's "
        f"{len(floods.answers):,} rows refused; others: {must_be_0[CUT]} of "
        f"{len(load.outcomes):,} failed, p99 x {ratio:.2f} (pairs {min(pairs):.2f} to "
        f"{max(pairs):.2f})",
        must_be_0=must_be_0,
        in_bounds=ratio <= SLOWER,
        conditions={
            "others_requests_per_s": sizes.rate_per_s,
            "limit_per_s": GUEST_PER_S,
            "asked_per_s_without_and_with_the_flood": [GUEST_PER_S, TIMES * GUEST_PER_S],
            "phase_s": sizes.phase_s,
            "p99_ratio_of_each_pair": [round(one, 3) for one in pairs],
            "tokens_expired_by_replacement": sizes.doors,
            "failures_of_the_others": load.errors(),
        },
    )


def _flood_in_turns(scene: Scene, sizes: Sizes) -> _Floods:
    """Have a phase in which the guest asks what he may and one with his flood, in turns."""
    floods = _Floods([], [], [])
    with another_process(flood) as pool:
        for _ in range(sizes.floods):
            for times, phases in ((1, floods.quiet), (TIMES, floods.flooded)):
                seconds = _BURST_S + sizes.phase_s
                job = pool.submit(flood, *_asking(scene, times * GUEST_PER_S, seconds))
                phases.append(_lasting(job.result))
                time.sleep(_STEP_S)
            floods.answers.extend(job.result())
    return floods


async def _try_doors(scene: Scene) -> list[str]:
    """Return what went wrong with callers who must be refused; replaces the token."""
    found: list[str] = []

    async def meet(request: bytes, status: int, code: bytes) -> bytes:
        reply = await exchange(scene.running.url, request)
        if reply is not None and reply.status == 200:
            found.append(LET_IN)
        elif reply is None or reply.status != status or code not in reply.body:
            found.append(OTHERWISE)
        return b"" if reply is None else reply.body

    guest, token = scene.keys[GUEST], scene.token
    theirs, made_up = (post(f"task={task}", IMAGES[0]) for task in (_THEIRS, _MADE_UP))
    await meet(let_in(theirs, token, make_key().key), 401, b"bad_key")
    await meet(let_in(theirs, token, None), 401, b"bad_key")
    real = await meet(let_in(theirs, token, guest), 403, b"forbidden")
    other = await meet(let_in(made_up, token, guest), 403, b"forbidden")
    if real.replace(_THEIRS.encode(), b"") != other.replace(_MADE_UP.encode(), b""):
        found.append(TELLING)
    rotate(scene.service.folder)
    await meet(let_in(theirs, token, scene.keys[HOUSE]), 400, b"InvalidKeyException")
    await meet(theirs, 400, b"InvalidKeyException")
    return found


def _asking(
    scene: Scene, rate_per_s: float, seconds: float
) -> tuple[str, list[bytes], float, float]:
    """Return the arguments of `flood`: all tasks that the guest may ask."""
    asked = (post(f"task={task}", IMAGES[0]) for task in TASKS if task.startswith("task-0"))
    requests = [let_in(request, scene.token, scene.keys[GUEST]) for request in asked]
    return scene.running.url, requests, rate_per_s, seconds


def _lasting(work: Callable[[], object]) -> _Slice:
    """Return when some work began and ended."""
    began = time.perf_counter()
    work()
    return began, time.perf_counter()


def _ratio(load: Load, quiet: Sequence[_Slice], flooded: Sequence[_Slice]) -> float:
    """Return how many times the p99 without a flood the p99 under one is."""
    with_flood, without = (
        latency_ms(
            [one for start, end in slices for one in load.between(start + _BURST_S, end)], 0.99
        )
        for slices in (flooded, quiet)
    )
    return with_flood / without
