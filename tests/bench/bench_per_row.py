"""What LoRA, SSF and biases cost where every row of a batch is of another task.

All in torch, eager: 16 rows of 16 tasks, over timm's own forward of the bare trunk.
"""

import os
import statistics
import time
from dataclasses import replace

import torch
from torch import Tensor
from torch.func import functional_call

from adapters.vit.adapter import Adapter
from adapters.vit.backbone import Backbone
from serving.rows.resident import make_resident
from serving.trunk.choose import torch_backend
from tests.bench import peers
from tests.bench.measure import in_turns, speed_ratio
from tests.bench.models import BASE, NUM_CLASSES, NUM_PROMPTS, TINY, make_backbone
from tests.bench.peers import Forward
from tests.bench.per_row import LoraBank, ScaleBank, per_row
from tests.bench.result import Result, Settings
from tests.fakes.artifacts import make_adapter
from tests.fakes.tiny import tiny_backbone

ROWS = 16
RANKS = (4, 8)
PLAIN = "plain"


def run(settings: Settings) -> Result:
    """Time every way in turns, on each backbone."""
    rounds = 2 if settings.short else 7
    backbones = (
        {"tiny": tiny_backbone()}
        if settings.short
        else {name: make_backbone(name) for name in (BASE, TINY)}
    )
    result = Result("per-row", notes=_notes(rounds))
    for name, backbone in backbones.items():
        with torch.inference_mode():
            _measure(result, name, backbone, rounds)
    return result


def _measure(result: Result, name: str, backbone: Backbone, rounds: int) -> None:
    size = backbone.spec.image_size
    pixels = torch.randn(ROWS, 3, size, size, generator=torch.Generator().manual_seed(0))
    ways = _ways(backbone)
    before = os.getloadavg()[0]
    asks = {way: lambda f=f: f(pixels) for way, f in ways.items()}
    seconds = in_turns(asks, rounds, warm_up=1, clock=time.process_time)
    for way in ways:
        over = speed_ratio(seconds, way, over=PLAIN)
        result.rows.append(
            {
                "model": name,
                "candidate": way,
                "cpu_ms": 1000 * statistics.median(seconds[way]),
                "over_plain": over.median,
                "low": over.low,
                "high": over.high,
                "load_before": before,
            }
        )
    result.ratios[f"over_plain, {name}"] = {
        row["candidate"]: round(row["over_plain"], 4)
        for row in result.rows
        if row["model"] == name and row["candidate"] != PLAIN
    }
    result.ratios[f"error of LoRA by row, {name}"] = _error(backbone, pixels)


def _ways(backbone: Backbone) -> dict[str, Forward]:
    trunk, tasks = backbone.trunk, torch.arange(ROWS)
    ours = torch_backend(backbone, max_batch=ROWS)
    prompted = [make_resident(_adapter(backbone, i), backbone) for i in range(ROWS)]
    biased = [make_resident(_with_biases(backbone, i), backbone) for i in range(ROWS)]
    return {
        PLAIN: peers.plain(backbone),
        **{f"LoRA, rank {r}": per_row(trunk, LoraBank(trunk, ROWS, r), tasks) for r in RANKS},
        "SSF": per_row(trunk, ScaleBank(trunk, ROWS), tasks),
        "prompts": peers.mixed(ours, prompted),
        "prompts and biases": peers.mixed(ours, biased),
    }


def _adapter(backbone: Backbone, seed: int) -> Adapter:
    return make_adapter(classes=NUM_CLASSES, prompts=NUM_PROMPTS, seed=seed, backbone=backbone.spec)


def _with_biases(backbone: Backbone, seed: int) -> Adapter:
    biases = torch.randn(backbone.spec.depth, backbone.spec.width) * 0.02
    return replace(_adapter(backbone, seed), biases=biases)


def _error(backbone: Backbone, pixels: Tensor) -> float:
    """Return how far a row is from its task's merged weights, relative to the largest feature."""
    trunk, bank = backbone.trunk, LoraBank(backbone.trunk, ROWS, RANKS[0])
    found = per_row(trunk, bank, torch.arange(ROWS))(pixels)[1:2]
    expected = functional_call(trunk, bank.merged(trunk, 1), (pixels[1:2],))
    return float((found - expected).abs().max() / expected.abs().max())


def _notes(rounds: int) -> list[str]:
    return [
        f"{ROWS} rows of {ROWS} tasks, float32, eager torch, {rounds} rounds in turns; "
        f"{NUM_PROMPTS} deep prompts",
        "LoRA is on queries and values, as products grouped by row; SSF on the outputs of all six "
        "layers of a block; every row's tensors are gathered in the forward",
        "over_plain is the processor time of timm's forward of the bare trunk over that of a way, "
        "which neighbours disturb less than the clock on the wall",
        f"random weights; the load of a minute before was {os.getloadavg()[0]:.1f}",
    ]
