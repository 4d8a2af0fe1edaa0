"""Our two fronts against LitServe, mosec and TorchServe's stock handler, in turns.

Peers serve one plain ViT, ours sixteen tasks on it. What a front costs is seen on a model that is
next to nothing, whose own processor time is taken off.
"""

import statistics
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import torch

from adapters.vit.backbone import load_backbone
from serving.rows.resident import make_resident
from serving.trunk.choose import torch_backend
from tests.bench import peers
from tests.bench.http_load import CALLERS, saturate
from tests.bench.http_scene import Scene
from tests.bench.measure import Spread, in_turns
from tests.bench.models import TINY, random_adapter, random_pixels, random_weights
from tests.bench.result import Result, Settings
from tests.bench.services.running import NEEDS, OURS, SERVICES, missing, running
from tests.bench.services.target import Served

SMALL = "test_vit"
"""64 wide, 6 blocks, 160 pixels."""

ROWS = 16
BEST = "best_over_best_service"


class Plan(NamedTuple):
    """What is measured.

    Attributes:
        model: whose throughput counts.
        services: by name.
        rounds: of turns.
        seconds: of one turn.
    """

    model: str = TINY
    services: Sequence[str] = SERVICES
    rounds: int = 5
    seconds: float = 6.0


SHORT = Plan(SMALL, ("asgi", "litserve", "mosec"), rounds=1, seconds=2.0)


class Seen(NamedTuple):
    """One turn: requests a second, and processor milliseconds of a request, with Java and without.

    The milliseconds are of all processes of the service.
    """

    per_s: float
    cpu_ms: float
    cpu_ms_without_java: float


def run(settings: Settings) -> Result:
    """Measure throughput, then what the fronts cost."""
    plan = SHORT if settings.short else Plan()
    absent = {name: why for name in plan.services if (why := missing(name)) is not None}
    names = [name for name in plan.services if name not in absent]
    result = Result("services", dict.fromkeys(_ratios()), notes=[*_notes(plan), *absent.values()])
    served = _measure(plan, plan.model, settings.weights if plan.model == TINY else None, names)
    _add_throughput(result, served)
    _add_cost(result, served if plan.model == SMALL else _measure(plan, SMALL, None, names))
    return result


def _ratios() -> list[str]:
    over = [f"{ours}_over_{peer}" for ours in OURS for peer in NEEDS]
    return [BEST, *over, *(f"front_cpu_ms_of_{name}" for name in SERVICES)]


def _measure(
    plan: Plan, model: str, weights: Path | None, names: Sequence[str]
) -> dict[str, list[Seen]]:
    """Let all services of one model take turns."""
    with TemporaryDirectory(prefix="bench-services-") as folder:
        scene = Scene(Path(folder), weights, model)
        with running(scene, names) as services:
            seen: dict[str, list[Seen]] = {name: [] for name in names}
            for number in range(plan.rounds + 1):
                for name, service in services.items():
                    turn = _turn(service, plan.seconds)
                    if number:  # the first turn warms up
                        seen[name].append(turn)
    return seen


def _turn(service: Served, seconds: float) -> Seen:
    before = service.cpu_s(), service.cpu_s(java=False)
    load = saturate(service, seconds)
    spent = service.cpu_s() - before[0], service.cpu_s(java=False) - before[1]
    if not load.answered_per_s:
        failed = next((one.error for one in load.outcomes if one.error is not None), None)
        raise RuntimeError(
            f"{service.name} gave no good answer within {seconds:g} s; "
            + (f"the first error: {failed}" if failed else "the machine is too busy, run it again")
        )
    return Seen(load.answered_per_s, *(1000 * one / load.answered for one in spent))


def _add_throughput(result: Result, seen: Mapping[str, Sequence[Seen]]) -> None:
    per_s = {name: statistics.median(turn.per_s for turn in turns) for name, turns in seen.items()}
    for name, turns in seen.items():
        result.rows.append(_row(name, "throughput", turns))
    for ours in OURS:
        for peer in NEEDS:
            if {ours, peer} <= seen.keys():
                result.add_ratio(f"{ours}_over_{peer}", _over(seen, ours, peer))
    peers = [name for name in seen if name in NEEDS]
    if peers:
        best = (max(names, key=per_s.__getitem__) for names in (seen.keys() & set(OURS), peers))
        result.add_ratio(BEST, _over(seen, *best))


def _over(seen: Mapping[str, Sequence[Seen]], one: str, other: str) -> Spread:
    pairs = zip(seen[one], seen[other], strict=True)
    return Spread.of([ours.per_s / theirs.per_s for ours, theirs in pairs])


def _add_cost(result: Result, seen: Mapping[str, Sequence[Seen]]) -> None:
    model_ms = _model_cpu_ms()
    told = ", ".join(f"{kind} {ms:.2f} ms" for kind, ms in model_ms.items())
    result.notes.append(f"{SMALL} alone, processor time per image in batches of {ROWS}: {told}")
    for name, turns in seen.items():
        result.rows.append(_row(name, "cost of the front", turns))
        own_ms = model_ms["mixed" if name in OURS else "plain"]
        costs = [turn.cpu_ms_without_java - own_ms for turn in turns]
        result.add_ratio(f"front_cpu_ms_of_{name}", Spread.of(costs))


def _row(name: str, what: str, turns: Sequence[Seen]) -> dict[str, object]:
    spread = Spread.of([turn.per_s for turn in turns])
    return {
        "service": name,
        "what": what,
        "requests_per_s": spread.median,
        "low": spread.low,
        "high": spread.high,
        "cpu_ms": statistics.median(turn.cpu_ms for turn in turns),
        "cpu_ms_without_java": statistics.median(turn.cpu_ms_without_java for turn in turns),
        "rounds": len(turns),
    }


@torch.inference_mode()
def _model_cpu_ms() -> dict[str, float]:
    """Return processor milliseconds of one image in the small model, plain and with adapters."""
    with TemporaryDirectory() as folder:
        backbone = load_backbone(SMALL, random_weights(SMALL, Path(folder)))
    residents = [
        make_resident(random_adapter(backbone.spec, number), backbone) for number in range(ROWS)
    ]
    forwards = {
        "plain": peers.plain(backbone),
        "mixed": peers.mixed(torch_backend(backbone), residents),
    }
    pixels = random_pixels(backbone, ROWS)
    calls = {name: partial(forward, pixels) for name, forward in forwards.items()}
    seconds = in_turns(calls, rounds=20, clock=time.process_time)
    return {name: 1000 * statistics.median(times) / ROWS for name, times in seconds.items()}


def _notes(plan: Plan) -> list[str]:
    return [
        f"{plan.model}, float32, eager, for all; the same JPEG files of 224 to 500 pixels a side, "
        f"{CALLERS} callers on the same cores, {plan.rounds} rounds of {plan.seconds:g} s in turns",
        "ours answer for 16 tasks with 20 deep prompts a block, the peers for one plain ViT",
        "LitServe: one worker, batches of 32 at most within 5 ms, images as base64 in JSON; mosec: "
        "a process per core decodes, one computes batches of 32 at most within 5 ms, raw bytes; "
        "TorchServe's stock image_classifier: one worker, batches as ours",
        f"front_cpu_ms: with {SMALL}, all processes of the service but Java, decoding with it, "
        "over the requests answered, less the model's own time, ours with adapters; the stock "
        "handler crops 224 pixels whatever the model",
    ]
