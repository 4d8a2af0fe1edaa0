"""The forward itself: a mixed batch of many tasks against the bare trunk and the other ways.

Every row of a batch belongs to another task. All candidates of a cell run in turns in one
process, under the allocator's setting of the service. Three figures are kept apart: the device's
time for one batch, throughput with several batches in flight, and the whole service.
"""

from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from adapters.vit.adapter import Adapter
from adapters.vit.backbone import Backbone
from serving.rows.resident import make_resident
from serving.trunk.allocator import disable_malloc_trim
from serving.trunk.backend import Backend
from tests.bench.accuracy import deviations
from tests.bench.device_time import IN_FLIGHT
from tests.bench.engine_cell import Cell, Source, make_entrants
from tests.bench.engine_int8 import Again, settle_int8
from tests.bench.engine_plan import (
    BEST,
    BEST_BUSY,
    BEST_TINY,
    CUDA_RATIOS,
    FLOAT32_RATIOS,
    INT8_RATIOS,
    Plan,
    plan_of,
)
from tests.bench.engine_service import add_service
from tests.bench.exports import Exports
from tests.bench.models import (
    TINY,
    in_precision,
    make_backbone,
    precision_of,
    random_adapter,
    random_pixels,
)
from tests.bench.neighbours import busy_neighbours
from tests.bench.peers import num_copies, trunk_bytes
from tests.bench.processor import has_bfloat16
from tests.bench.result import Result, Settings
from tests.fakes.tiny import tiny_backbone, tiny_trunk

OTHER_RATIOS = ("float32_relative_error", "float32_same_labels", "int8_agreement")
NOTES = (
    "every row of a batch belongs to another task: 20 deep prompts per block, class token read",
    "one process, candidates in turns, the allocator's setting of the service for all of them",
    "heads, decoding and HTTP are not in these figures",
    "plain: timm's forward of the bare trunk; compiled: torch.compile with the same options",
    "token form: prompts as tokens in one batch, replaced before each block",
    "one forward per task, separate models: as many forwards of one row as there are rows",
    "device time: one batch of resident pixels, by CUDA events on a GPU; pipelined: "
    f"{IN_FLIGHT} batches asked at the same time; whole service: JPEG files over HTTP, with "
    "decoding and heads",
    f"{BEST}: the fastest of ours, float32 or bfloat16, over the fastest plain one in the same "
    "precision: timm eager and compiled, OpenVINO and ONNX Runtime in their best settings",
)


def run(settings: Settings) -> Result:
    """Measure every cell of model, precision and batch."""
    disable_malloc_trim()
    plan = plan_of(settings)
    names = [BEST, BEST_TINY, BEST_BUSY, *CUDA_RATIOS, *FLOAT32_RATIOS, *INT8_RATIOS, *OTHER_RATIOS]
    result = Result("engine", dict.fromkeys(names), notes=[*NOTES, _precision_note(plan)])
    with TemporaryDirectory() as name:
        exports = Exports(Path(name))
        settled = "float32" in plan.precisions
        again = settle_int8(result, settings, exports) if settled else None
        for model, precision in product(plan.batches, plan.precisions):
            whole = _backbone(model, settings)
            folder = Path(name) / f"{model}-{precision}"
            folder.mkdir()
            source = Source(whole, exports if whole.device.type == "cpu" else None, folder)
            _measure(result, plan, in_precision(whole, precision), again, source)
            torch.compiler.reset()
            result.save(settings)  # stays if what follows is cut off
    if plan.service:
        add_service(result, settings)
    return result


def _precision_note(plan: Plan) -> str:
    has = "has" if has_bfloat16() else "has no"
    return f"the ratios are of {plan.precision}: this processor {has} instructions for bfloat16"


def _backbone(model: str, settings: Settings) -> Backbone:
    if settings.short:
        return tiny_backbone(tiny_trunk(depth=2))
    return make_backbone(model, settings.weights if model == TINY else None)


def _measure(
    result: Result,
    plan: Plan,
    backbone: Backbone,
    again: Again | None,
    source: Source,
) -> None:
    """Measure one model in one precision, at every batch size.

    Args:
        result: is added to.
        plan: what to measure.
        backbone: in the precision to be measured.
        again: shares of the rows that int8 leaves in doubt; None where the plan has no float32.
        source: of the same backbone.
    """
    model, precision = backbone.spec.name, precision_of(backbone)
    batches = plan.batches[model]
    adapters = [random_adapter(backbone.spec, i) for i in range(max(batches))]
    entrants = make_entrants(backbone, batches, source, compiled=plan.compiled, again=again)
    for batch in batches:
        of_ratios = batch == plan.batch_of_ratios
        cell = Cell(plan, entrants, adapters[:batch])
        cell.measure(result, plan.seconds * (3 if of_ratios else 1))
        if of_ratios and model == plan.first and precision == plan.precision:
            _between_others(result, plan, cell)
        if of_ratios and model == plan.last:
            _note_memory(result, backbone, adapters[:batch])
    if model == plan.first and precision == "float32":
        _add_accuracy(result, backbone, entrants.ours, adapters[:16])


def _between_others(result: Result, plan: Plan, cell: Cell) -> None:
    if plan.neighbours:
        with busy_neighbours(plan.neighbours):
            cell.measure_busy(result)
        cell.measure_pipelined(result)


def _add_accuracy(
    result: Result,
    backbone: Backbone,
    backends: Mapping[str, Backend],
    adapters: Sequence[Adapter],
) -> None:
    exact = {name: backend for name, backend in backends.items() if "int8" not in name}
    pixels = random_pixels(backbone, len(adapters))
    found = deviations(exact, backbone, adapters, pixels)
    result.ratios["float32_relative_error"] = max(d.relative for d in found.values())
    result.ratios["float32_same_labels"] = min(d.same_labels for d in found.values())
    result.notes.append(
        f"float32 against prompts as tokens in float64, {backbone.spec.name}, {len(adapters)} rows "
        "of as many tasks; largest difference over largest feature of the worst row: "
        + ", ".join(f"{name} {d.relative:.1e}" for name, d in found.items())
    )


def _note_memory(result: Result, backbone: Backbone, adapters: Sequence[Adapter]) -> None:
    trunk, count = trunk_bytes(backbone) / 2**20, len(adapters)
    each = make_resident(adapters[0], backbone).num_bytes / 2**20
    result.notes.append(
        f"{backbone.spec.name}, {precision_of(backbone)}, {count} tasks: "
        f"{trunk:.0f} MiB of backbone and {count} x {each:.2f} MiB of adapters, against "
        f"{count} x {trunk:.0f} MiB of separate models; "
        f"{num_copies(backbone, count)} of those were held at once"
    )
