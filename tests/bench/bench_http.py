"""What HTTP costs over the engine alone, latency at given rates, and one model per task beside it.

Everything runs on the same cores, the load as well; what is compared takes turns.
"""

import statistics
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.bench.engine_alone import EngineAlone
from tests.bench.http_load import CALLERS, Load, Target, offer, saturate
from tests.bench.http_scene import NUM_PEERS, NUM_PHOTOS, NUM_TASKS, Scene
from tests.bench.measure import Spread
from tests.bench.result import Result, Settings

SHARES = (0.25, 0.5, 0.75, 0.9)


@dataclass(frozen=True)
class _Plan:
    rounds: int
    seconds: float
    offered_s: float


def run(settings: Settings) -> Result:
    """Measure all of it; starts two services of its own and ends them."""
    plan = _Plan(2, 4, 4) if settings.short else _Plan(7, 10, 15)
    result = Result("http")
    with TemporaryDirectory(prefix="bench-http-") as name, ExitStack() as stack:
        scene = Scene(Path(name), settings.weights)
        ours = stack.enter_context(scene.ours())
        saturation = _against_engine(scene, ours, plan, result)
        for share in SHARES:
            load = offer(ours, share * saturation, plan.offered_s)
            row = load.row(ours, f"{share:.0%} of saturation", share * saturation)
            result.rows.append(row)
            _note_held_back(load, row, result)
        few = Target(f"shared, {NUM_PEERS} tasks", ours.process, scene.asks(NUM_PEERS))
        _against_peers(few, stack.enter_context(scene.peers()), plan, result)
    result.notes += _notes(settings)
    return result


def _against_engine(scene: Scene, ours: Target, plan: _Plan, result: Result) -> float:
    """Return our saturation, in answers per second."""
    alone: list[float] = []
    loads: list[Load] = []
    with closing(EngineAlone(scene.launch, NUM_PHOTOS)) as engine:
        engine.images_per_s(plan.seconds)
        saturate(ours, plan.seconds)
        for _ in range(plan.rounds):
            alone.append(engine.images_per_s(plan.seconds))
            loads.append(saturate(ours, plan.seconds))
    batch = scene.launch.batch_size
    result.rows.append(_engine_row(f"batches of {batch}", statistics.median(alone)))
    result.rows.append(_closed_row(ours, loads))
    answered = [load.answered_per_s for load in loads]
    pairs = zip(answered, alone, strict=True)
    result.add_ratio("saturation_over_engine", Spread.of([http / bare for http, bare in pairs]))
    share = statistics.median(load.client_share for load in loads)
    result.notes.append(f"at saturation the load itself takes {share:.1%} of one core")
    return statistics.median(answered)


def _against_peers(ours: Target, peers: Target, plan: _Plan, result: Result) -> None:
    rounds = [
        (saturate(ours, plan.seconds), saturate(peers, plan.seconds))
        for _ in range(plan.rounds + 1)
    ][1:]
    rows = _closed_row(ours, [a for a, _ in rounds]), _closed_row(peers, [b for _, b in rounds])
    result.rows += rows
    result.add_ratio(
        "shared_over_one_model_per_task",
        Spread.of([one.answered_per_s / other.answered_per_s for one, other in rounds]),
    )
    memory, memory_of_peers = (row["workers_pss_mb"] for row in rows)
    result.ratios["memory_over_one_model_per_task"] = round(memory / memory_of_peers, 4)


def _engine_row(load: str, images_per_s: float) -> dict[str, Any]:
    return {
        "service": "engine alone",
        "load": load,
        "offered_per_s": None,
        "answered_per_s": images_per_s,
    }


def _closed_row(target: Target, loads: Sequence[Load]) -> dict[str, Any]:
    pooled = Load(
        tuple(outcome for load in loads for outcome in load.outcomes),
        statistics.median(load.answered_per_s for load in loads),
        held_back=0,
        client_share=0.0,
    )
    return pooled.row(target, f"{CALLERS} callers", None)


def _note_held_back(load: Load, row: dict[str, Any], result: Result) -> None:
    if load.held_back:
        result.notes.append(f"at {row['load']}, {load.held_back} requests were sent late")


def _notes(settings: Settings) -> list[str]:
    return [
        f"ViT-Ti/16 with {'given' if settings.weights else 'random'} weights; adapters of random "
        "numbers, deep, 20 prompts; JPEG files of 224 to 500 pixels a side, all different",
        "answers per second of the services include what the load generator takes of their cores",
        "latencies of offered rates count from the moment each request was due",
        f"the service with {NUM_PEERS} tasks holds all {NUM_TASKS}; one model per task runs "
        "OMP_NUM_THREADS=1 in each of its workers unless it is set",
        "rss counts pages that workers share once each, pss divides them; the ratio is of pss",
    ]
