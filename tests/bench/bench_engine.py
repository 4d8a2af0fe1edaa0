"""The forward itself: a mixed batch of many tasks against the bare trunk and the other ways.

Every row of a batch belongs to another task. All candidates of a cell run in turns in one
process, under the allocator's setting of the service.
"""

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from adapters.vit.adapter import Adapter
from adapters.vit.backbone import Backbone, load_backbone
from serving.config import LEAST_AGREEMENT
from serving.onnx.int8 import in_words
from serving.onnx.samples import read_samples
from serving.rows.resident import make_resident
from serving.trunk.allocator import disable_malloc_trim
from serving.trunk.backend import Backend
from tests.bench.accuracy import deviations
from tests.bench.candidates import bare_trunks, exported_backends, warm_backends, with_adapters
from tests.bench.contest import rows_of, timed
from tests.bench.digits import digits_sample
from tests.bench.engine_plan import CUDA_RATIOS, WITH_DOUBTS, Plan, plan_of
from tests.bench.int8 import agreement_of, with_doubts
from tests.bench.measure import Seconds, speed_ratio
from tests.bench.models import (
    TINY,
    in_precision,
    make_backbone,
    random_adapter,
    random_pixels,
)
from tests.bench.peers import num_copies, trunk_bytes
from tests.bench.result import Result, Settings
from tests.fakes.tiny import tiny_backbone

OTHER_RATIOS = ("float32_relative_error", "float32_same_labels", "int8_agreement")
NOTES = (
    "every row of a batch belongs to another task: 20 deep prompts per block, class token read",
    "one process, candidates in turns, the allocator's setting of the service for all of them",
    "heads, decoding and HTTP are not in these figures",
    "plain: timm's forward of the bare trunk; compiled: torch.compile with the same options",
    "token form: prompts as tokens in one batch, replaced before each block",
    "one forward per task, separate models: as many forwards of one row as there are rows",
)


def run(settings: Settings) -> Result:
    """Measure every cell of model, precision and batch."""
    disable_malloc_trim()
    plan = plan_of(settings)
    result = Result("engine", dict.fromkeys([*CUDA_RATIOS, *OTHER_RATIOS]), notes=list(NOTES))
    again = _settle_int8(result, settings) if "float32" in plan.precisions else None
    for model in plan.models:
        whole = _backbone(model, settings)
        for precision in plan.precisions:
            with TemporaryDirectory() as folder:
                _measure(result, plan, in_precision(whole, precision), again, Path(folder))
            torch.compiler.reset()
    return result


def _backbone(model: str, settings: Settings) -> Backbone:
    if settings.short:
        return tiny_backbone()
    return make_backbone(model, settings.weights if model == TINY else None)


def _settle_int8(result: Result, settings: Settings) -> float:
    """Note how far int8 agrees with float32; return the share of rows that is computed again."""
    if settings.store is not None and settings.data is not None:
        backbone = make_backbone(TINY, settings.weights)
        samples = read_samples(backbone, settings.store, settings.data)
    else:
        backbone = tiny_backbone() if settings.short else load_backbone(pooling="mean")
        samples = {"digits": digits_sample(backbone)}
    agreement = agreement_of(backbone, samples)
    again = statistics.mean(found.again for found in agreement.values())
    result.ratios["int8_agreement"] = min(found.same for found in agreement.values())
    result.notes.append(
        f"int8 of {backbone.spec.name}, images not used for settling the margin with the same best "
        f"class as in float32: {in_words(agreement)}; {LEAST_AGREEMENT:.0%} of each are demanded"
    )
    result.notes.append(
        f"{WITH_DOUBTS}: the time of onnx int8, and {again:.1%} (the mean of those tasks) of that "
        "of one forward per task in float32, the slowest way to compute rows again"
    )
    return again


def _measure(
    result: Result, plan: Plan, backbone: Backbone, again: float | None, folder: Path
) -> None:
    """Measure one model in one precision, at every batch size.

    Args:
        result: is added to.
        plan: what to measure.
        backbone: in the precision to be measured.
        again: share of the rows that int8 leaves in doubt; None where the plan has no float32.
        folder: for exports.
    """
    precision = str(backbone.dtype).removeprefix("torch.")
    adapters = [random_adapter(backbone.spec, i) for i in range(max(plan.batches))]
    backends = warm_backends(backbone, plan.batches, compiled=plan.compiled)
    if precision == "float32":
        backends |= exported_backends(backbone, folder)
    bare = bare_trunks(backbone, plan.batches, compiled=plan.compiled)
    for batch in plan.batches:
        candidates = bare | with_adapters(backbone, backends, adapters[:batch])
        of_ratios = backbone.spec.name == plan.models[-1] and batch == plan.batch_of_ratios
        budget_s = plan.seconds * (3 if of_ratios else 1)
        seconds = timed(candidates, random_pixels(backbone, batch), plan.rounds, budget_s)
        if again is not None and precision == "float32":
            seconds[WITH_DOUBTS] = with_doubts(seconds, again)
        conditions = {"model": backbone.spec.name, "precision": precision}
        result.rows += rows_of(conditions, batch, seconds)
        if of_ratios:
            _add_ratios(result, plan, precision, seconds)
            _note_memory(result, backbone, adapters[:batch])
    if backbone.spec.name == plan.models[0] and precision == "float32":
        _add_accuracy(result, backbone, backends, adapters[:16])


def _add_ratios(result: Result, plan: Plan, precision: str, seconds: Seconds) -> None:
    for name, (measured_in, ours, theirs) in plan.ratios.items():
        if precision == measured_in and {ours, theirs} <= seconds.keys():
            result.add_ratio(name, speed_ratio(seconds, ours, theirs))


def _add_accuracy(
    result: Result,
    backbone: Backbone,
    backends: Mapping[str, Backend],
    adapters: Sequence[Adapter],
) -> None:
    exact = {name: backend for name, backend in backends.items() if "int8" not in name}
    found = deviations(exact, backbone, adapters, random_pixels(backbone, len(adapters)))
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
        f"{backbone.spec.name}, {str(backbone.dtype).removeprefix('torch.')}, {count} tasks: "
        f"{trunk:.0f} MiB of backbone and {count} x {each:.2f} MiB of adapters, against "
        f"{count} x {trunk:.0f} MiB of separate models; "
        f"{num_copies(backbone, count)} of those were held at once"
    )
