"""How far int8 agrees with float32 on real images, ours and OpenVINO's of the plain trunk."""

import statistics
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import torch

from adapters.vit.backbone import Backbone, load_backbone
from serving.config import LEAST_AGREEMENT
from serving.onnx.samples import read_samples
from serving.rounding.agreement import Agreement, Sample, in_words
from tests.bench.digits import digits_sample
from tests.bench.engine_plan import PLAIN_INT8_WITH_DOUBTS, WITH_DOUBTS
from tests.bench.exports import Exports
from tests.bench.int8 import ROUNDINGS, agreement_of
from tests.bench.models import TINY, make_backbone
from tests.bench.plain.int8 import calibration, plain_agreement, quantise_plain
from tests.bench.plain.on_openvino import OnOpenvino
from tests.bench.processor import has_int8_dot_products
from tests.bench.result import Result, Settings
from tests.fakes.tiny import tiny_backbone, tiny_trunk


class Again(NamedTuple):
    """Shares of the rows that int8 leaves in doubt, so that both agree with float32 as often.

    Attributes:
        ours: of our trunk, by the name of its candidate.
        plain: of OpenVINO's plain one; None where the processor has no int8 dot products.
    """

    ours: Mapping[str, float]
    plain: float | None


def settle_int8(result: Result, settings: Settings, exports: Exports) -> Again:
    """Note how far int8 agrees with float32; return the shares of rows that are computed again."""
    backbone, samples = _samples(settings)
    ours, least = {}, 1.0
    for name, rounding in ROUNDINGS.items():
        agreement = agreement_of(backbone, exports.trunk(backbone), samples, rounding)
        least = min(least, *(found.same for found in agreement.values()))
        ours[name] = _share_again(agreement)
        result.notes.append(
            f"{name} of {backbone.spec.name}, images not used for settling the margin with the "
            f"same best class as in float32: {in_words(agreement)}; {LEAST_AGREEMENT:.0%} of each "
            f"are demanded. {WITH_DOUBTS[name]}: its time, and {ours[name]:.1%} (the mean of those "
            "tasks) of that of one forward per task in float32, the slowest way to compute again"
        )
    result.ratios["int8_agreement"] = least
    if not has_int8_dot_products():
        result.notes.append(
            "int8_over_openvino_int8 is not measured: this processor has no int8 dot products"
        )
        return Again(ours, None)
    found = plain_int8_agreement(exports.plain(backbone), samples)
    plain = _share_again(found)
    result.notes.append(
        f"{PLAIN_INT8_WITH_DOUBTS}: static scales (QDQ), the plain trunk's features under the same "
        f"heads: {in_words(found)}; {plain:.1%} are computed again in float32, in whole batches"
    )
    return Again(ours, plain)


def _samples(settings: Settings) -> tuple[Backbone, dict[str, Sample]]:
    if settings.store is not None and settings.data is not None:
        backbone = make_backbone(TINY, settings.weights)
        return backbone, read_samples(backbone, settings.store, settings.data)
    backbone = (
        tiny_backbone(tiny_trunk(depth=2)) if settings.short else load_backbone(pooling="mean")
    )
    return backbone, {"digits": digits_sample(backbone)}


@torch.inference_mode()
def plain_int8_agreement(exact: Path, samples: Mapping[str, Sample]) -> dict[str, Agreement]:
    """Return how each task fares on the plain trunk in OpenVINO's int8.

    Args:
        exact: its graph in float32.
        samples: by task.
    """
    with TemporaryDirectory() as name:
        rounded = Path(name) / "int8.onnx"
        quantise_plain(exact, rounded, calibration(samples))
        forwards = (OnOpenvino(graph, "float32") for graph in (exact, rounded))
        return plain_agreement(*forwards, samples)


def _share_again(agreement: Mapping[str, Agreement]) -> float:
    return statistics.mean(found.again for found in agreement.values())
