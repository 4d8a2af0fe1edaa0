"""A float32 trunk in ONNX → the same with its matrix products in int8.

Weights are rounded once, each output channel with its own scale. Activations are rounded as
they come, each token with its own scale: tokens with outliers, which the MLP's hidden layer
has in plenty, then cost no other token its precision. `x ≈ s (q - 128)`, with `s = max|x| / 127`
and `q` in 1…255, so `x W ≈ s ((q - 128) W_q) s_W` (Dettmers et al., LLM.int8(), 2022, section 2.1,
row-wise and column-wise scales).
Axis letters: K inputs, N outputs of a product.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

MICROSOFT: Final = "com.microsoft"
ZERO: Final = 128
STEPS: Final = 127
LEAST: Final = 1e-20
"""Scale of a token that is zero everywhere."""


def quantise(source: Path, target: Path) -> None:
    """Write one graph in int8.

    Args:
        source: a float32 graph.
        target: written, its weights inside.
    """
    model = onnx.load(source)
    graph = model.graph
    del graph.value_info[:]  # shapes that quantising makes untrue
    weights = {tensor.name: tensor for tensor in graph.initializer if len(tensor.dims) == 2}
    graph.initializer.extend(_constants())
    nodes: list[NodeProto] = []
    rounded: set[str] = set()
    for node in graph.node:
        if node.op_type != "MatMul" or node.input[1] not in weights:
            nodes.append(node)
            continue
        tokens, weight = node.input
        if tokens not in rounded:
            nodes += _round_tokens(tokens)
            rounded.add(tokens)
        graph.initializer.extend(_round_weight(weight, weights[weight]))
        nodes += _product(tokens, weight, node.output[0])
    _replace(graph, nodes)
    model.opset_import.append(helper.make_opsetid(MICROSOFT, 1))
    onnx.save(model, target)


def _constants() -> Iterator[TensorProto]:
    yield numpy_helper.from_array(np.array([-1], np.int64), "int8.last_axis")
    yield numpy_helper.from_array(np.array(1, np.float32), "int8.one")
    yield numpy_helper.from_array(np.array(1 / STEPS, np.float32), "int8.step")
    yield numpy_helper.from_array(np.array(LEAST, np.float32), "int8.least")
    yield numpy_helper.from_array(np.array(ZERO, np.uint8), "int8.zero")


def _round_tokens(x: str) -> Iterator[NodeProto]:
    """Compute `<x>.scale` of each token, and `<x>.int8`, the token in units of it."""
    yield helper.make_node("ReduceMax", [x, "int8.last_axis"], [f"{x}.highest"])
    yield helper.make_node("ReduceMin", [x, "int8.last_axis"], [f"{x}.lowest"])
    yield helper.make_node("Neg", [f"{x}.lowest"], [f"{x}.depth"])
    yield helper.make_node("Max", [f"{x}.highest", f"{x}.depth", "int8.least"], [f"{x}.size"])
    yield helper.make_node("Mul", [f"{x}.size", "int8.step"], [f"{x}.scale"])
    yield helper.make_node("Reciprocal", [f"{x}.scale"], [f"{x}.inverse"])
    yield helper.make_node("Mul", [x, f"{x}.inverse"], [f"{x}.scaled"])
    yield helper.make_node(
        "QuantizeLinear", [f"{x}.scaled", "int8.one", "int8.zero"], [f"{x}.int8"]
    )


def _round_weight(name: str, weight: TensorProto) -> Iterator[TensorProto]:
    """Return `<name>.int8`, `[K, N]`, and `<name>.scale`, `[N]`."""
    exact = numpy_helper.to_array(weight)
    scale = np.maximum(np.abs(exact).max(axis=0) / STEPS, LEAST).astype(np.float32)
    yield numpy_helper.from_array(np.rint(exact / scale).astype(np.int8), f"{name}.int8")
    yield numpy_helper.from_array(scale, f"{name}.scale")


def _product(x: str, weight: str, output: str) -> Iterator[NodeProto]:
    """Multiply rounded tokens by a rounded weight, and undo both scales."""
    yield helper.make_node(
        "MatMulIntegerToFloat",
        [f"{x}.int8", f"{weight}.int8", "int8.one", f"{weight}.scale", "int8.zero"],
        [f"{output}.unscaled"],
        domain=MICROSOFT,
    )
    yield helper.make_node("Mul", [f"{output}.unscaled", f"{x}.scale"], [output])


def _replace(graph: onnx.GraphProto, nodes: list[NodeProto]) -> None:
    """Give the graph other nodes, and drop the constants that none of them reads."""
    del graph.node[:]
    graph.node.extend(nodes)
    read = {name for node in nodes for name in node.input}
    constants = [tensor for tensor in graph.initializer if tensor.name in read]
    del graph.initializer[:]
    graph.initializer.extend(constants)
