"""A float32 trunk in ONNX → the same in int8 with scales that were settled on images before.

The products by weights alone are rounded: each weight per output channel, what comes in with one
scale for all tokens (post-training static quantisation, as quantise and dequantise nodes). Products
of the attention stay as they are, because a prefix has no scale that fits all tasks.
"""

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import onnx
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_static,
)
from torch import Tensor

PRODUCTS = ["MatMul", "Gemm"]


class _Batches(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no types
    """Inputs of the graph, as the quantiser reads them."""

    def __init__(self, batches: Iterable[dict[str, Tensor]]) -> None:
        self._batches = iter(batches)

    def get_next(self) -> dict[str, object] | None:
        for batch in self._batches:
            return {name: tensor.numpy() for name, tensor in batch.items()}
        return None


def quantise_static(source: Path, target: Path, batches: Iterable[dict[str, Tensor]]) -> None:
    """Write one graph in int8.

    Args:
        source: a float32 graph.
        target: written, its weights inside.
        batches: inputs of the graph by name, one batch at least; they settle the scales.
    """
    with _silent():
        quantize_static(
            source,
            target,
            _Batches(batches),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=PRODUCTS,
            nodes_to_exclude=_products_of_activations(source),
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )


def _products_of_activations(source: Path) -> list[str]:
    graph = onnx.load(source, load_external_data=False).graph
    weights = {tensor.name for tensor in graph.initializer}
    return [
        node.name
        for node in graph.node
        if node.op_type in PRODUCTS and not weights.intersection(node.input)
    ]


@contextmanager
def _silent() -> Iterator[None]:
    """Keep back advice about preprocessing, which this graph does not need."""
    logger = logging.getLogger()
    hide = logging.Filter("nobody")
    logger.addFilter(hide)
    try:
        yield
    finally:
        logger.removeFilter(hide)
