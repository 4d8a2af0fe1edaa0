"""What more tasks cost: mixed batches drawn from one, ten, hundreds, thousands of adapters.

Leases, gathering, forward and heads are those of the service; images are pixels already.
"""

import statistics
from collections.abc import Callable
from typing import Any, NamedTuple

import torch

from adapters.vit.backbone import Backbone
from serving.forward.forward import collect, launch
from serving.inference.bank import AdapterBank
from serving.rows.query import Query
from serving.rows.row import Row
from serving.trunk.allocator import disable_malloc_trim
from serving.trunk.backend import Backend, Example, Form
from serving.trunk.choose import torch_backend
from tests.bench.hit_rate import SHARE_IN_BANK, hit_rate
from tests.bench.measure import Seconds, Spread, in_turns, speed_ratio
from tests.bench.models import (
    BASE,
    NUM_PROMPTS,
    RandomSource,
    in_precision,
    make_backbone,
    random_key,
    random_pictures,
)
from tests.bench.popularity import POPULARITIES, ZIPF_EXPONENT, Draw, draws
from tests.bench.result import Result, Settings
from tests.fakes.tiny import tiny_backbone

PATIENCE_S = 600.0


class Plan(NamedTuple):
    """What is measured, and for how long.

    Attributes:
        counts: of tasks, from 1.
        batch: rows of one forward.
        forwards: timed together, each with its own draw of tasks.
        rounds: of all counts and popularities in turns.
        hit_batches: counted for the hit rate, after as many that are not.
    """

    counts: tuple[int, ...] = (1, 10, 100, 1000)
    batch: int = 16
    forwards: int = 3
    rounds: int = 15
    hit_batches: int = 300


SHORT = Plan(batch=4, forwards=1, rounds=3, hit_batches=50)
ON_CUDA = Plan(counts=(1, 10, 100, 1000, 10000), forwards=10, hit_batches=100)


def run(settings: Settings) -> Result:
    """Measure throughput by number of tasks and popularity, and the bank's hit rates."""
    disable_malloc_trim()
    plan, backbone = _plan(settings)
    on_cuda = backbone.device.type == "cuda"
    backend = torch_backend(backbone, compiled=on_cuda, max_batch=plan.batch)
    form = Form(0, False, backbone.spec.pooling, backbone.spec.final_norm)
    backend.warm_up([Example(form, NUM_PROMPTS)])
    seconds = _timed(plan, backend)
    result = Result("tasks", notes=_notes(plan, backbone))
    for popularity in POPULARITIES:
        result.rows += [_row(plan, seconds, popularity, count) for count in plan.counts]
    for count in plan.counts[3:]:
        ratio = speed_ratio(seconds, _name("uniform", count), _name("uniform", 1))
        loss = Spread(1 - ratio.median, 1 - ratio.high, 1 - ratio.low)
        result.add_ratio(f"loss_1_to_{count}", loss)
    return result


def _plan(settings: Settings) -> tuple[Plan, Backbone]:
    if settings.short:
        return SHORT, tiny_backbone(dtype=torch.bfloat16)
    backbone = in_precision(make_backbone(BASE), "bfloat16")
    return ON_CUDA if backbone.device.type == "cuda" else Plan(), backbone


def _timed(plan: Plan, backend: Backend) -> Seconds:
    """Time all counts and popularities in turns, every adapter resident."""
    bank = AdapterBank(backend.backbone, RandomSource(backend.backbone.spec), 1 << 62)
    with bank.lease(random_key(i) for i in range(max(plan.counts))) as lease:
        lease.wait(PATIENCE_S)
    candidates = {
        _name(popularity, count): _batches(
            plan, backend, bank, draws(popularity, count, plan.batch)
        )
        for popularity in POPULARITIES
        for count in plan.counts
    }
    seconds = in_turns(candidates, plan.rounds)
    bank.close()
    return seconds


def _batches(plan: Plan, backend: Backend, bank: AdapterBank, draw: Draw) -> Callable[[], None]:
    """Return a call that answers some batches, each of tasks drawn anew."""
    pictures = random_pictures(backend.backbone, plan.batch)

    def answer() -> None:
        for _ in range(plan.forwards):
            keys = [random_key(number) for number in draw()]
            with bank.lease(keys) as lease:
                rows = [Row(Query(b"", key.task)) for key in keys]
                for row, key, own in zip(rows, keys, pictures, strict=True):
                    row.key, row.resident, row.picture = key, lease.residents[key], own
                    row.image = id(row)
                collect(launch(backend, rows))

    return answer


def _name(popularity: str, count: int) -> str:
    return f"{popularity}, {count} tasks"


def _row(plan: Plan, seconds: Seconds, popularity: str, count: int) -> dict[str, Any]:
    name = _name(popularity, count)
    over_one = speed_ratio(seconds, name, _name(popularity, 1))
    images = plan.forwards * plan.batch
    return {
        "tasks": count,
        "popularity": popularity,
        "images_per_s": images / statistics.median(seconds[name]),
        "over_one_task": over_one.median,
        "low": over_one.low,
        "high": over_one.high,
        "hit_rate": hit_rate(popularity, count, plan.batch, plan.hit_batches),
    }


def _notes(plan: Plan, backbone: Backbone) -> list[str]:
    precision = str(backbone.dtype).removeprefix("torch.")
    return [
        f"{backbone.spec.name}, {precision}, batch of {plan.batch}, {NUM_PROMPTS} deep prompts per "
        "block; all tasks are resident while throughput is measured; no decoding, no HTTP",
        f"{plan.rounds} rounds in turns; each draws the tasks of {plan.forwards} batches anew: "
        f"uniform, Zipf with exponent {ZIPF_EXPONENT}, or every row of a batch another task",
        f"hit_rate: a bank with room for {SHARE_IN_BANK:.0%} of the tasks; counted apart, by rows",
    ]
