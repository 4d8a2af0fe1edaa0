"""A plain graph in int8, as OpenVINO runs it fastest, and how far its rows can be trusted.

The scales of activations are settled on images before (post-training quantisation, QDQ), those of
weights per channel. OpenVINO makes int8 kernels of that.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from torch import Tensor

from serving.config import LEAST_AGREEMENT
from serving.rounding.agreement import ROWS, Agreement, Sample, compare, settle
from tests.bench.peers import Forward
from tests.bench.plain.graph import INPUT

IMAGES = 32
"""That the scales are settled on, of all tasks together."""


class _Images(CalibrationDataReader):
    """Batches of pixels, as the quantiser reads them."""

    def __init__(self, pixels: Tensor) -> None:
        self._batches: Iterator[Tensor] = iter(pixels.split(ROWS))

    def get_next(self) -> dict[str, object] | None:
        batch = next(self._batches, None)
        return None if batch is None else {INPUT: batch.numpy()}


def quantise_plain(source: Path, target: Path, pixels: Tensor) -> None:
    """Write a plain graph in int8.

    Args:
        source: float32.
        target: written.
        pixels: normalised images that settle the scales.
    """
    quantize_static(
        source,
        target,
        _Images(pixels),
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=["MatMul", "Gemm"],
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        use_external_data_format=True,
    )


def calibration(samples: Mapping[str, Sample]) -> Tensor:
    """Return some images of every task."""
    each = max(1, IMAGES // len(samples))
    return torch.cat([sample.pixels[:each] for sample in samples.values()])


def plain_agreement(
    exact: Forward, rounded: Forward, samples: Mapping[str, Sample]
) -> dict[str, Agreement]:
    """Return how each task's head fares on int8 features, under the service's own floor.

    Args:
        exact: features of a plain trunk in float32.
        rounded: the same in int8.
        samples: by task.
    """
    seen = {
        task: compare(sample, lambda pixels, _: exact(pixels), lambda pixels, _: rounded(pixels))
        for task, sample in samples.items()
    }
    return settle(seen, LEAST_AGREEMENT).agreement
