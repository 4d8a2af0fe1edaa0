"""An exported trunk in int8, as far as every task keeps its answers.

Products are quantised dynamically by ONNX Runtime's own tool: weights per column, activations per
tensor. Some activations have outliers that 8 bits cannot hold, those after the GELU above all, so
coarser and finer schemes are tried in turn, and the first one under which every task agrees with
float32 is kept.
"""

import logging
import shutil
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

import onnx
import onnxruntime
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic

from adapters.backbone import Backbone
from serving.comparison import errors_against_torch
from serving.errors import ExportError
from serving.export import (
    GRAPH,
    Export,
    export_trunk,
    fresh,
    put_in_place,
    write_report,
)
from serving.gather import gather_prompts
from serving.heads import best_classes
from serving.onnx_backend import graph_inputs
from serving.onnx_session import open_session, run_session
from serving.resident import Resident

ROWS: Final = 16

_log = logging.getLogger(__name__)


class Sample(NamedTuple):
    """One task and images of it, pixels as the backbone takes them."""

    resident: Resident
    pixels: torch.Tensor


class Scheme(NamedTuple):
    """Which products of a block stay in float32."""

    name: str
    in_float32: tuple[str, ...]


class Tried(NamedTuple):
    """A scheme, and the share of each task's images with the same best class as in float32."""

    scheme: Scheme
    agreement: dict[str, float]


SCHEMES: Final = (
    Scheme("every product", ()),
    Scheme("every product but the MLP's second", ("fc2",)),
    Scheme("the attention's products", ("fc1", "fc2")),
    Scheme("the products of queries, keys and values", ("proj", "fc1", "fc2")),
)


def export_int8(
    backbone: Backbone, folder: Path, samples: Mapping[str, Sample], floor: float
) -> Export:
    """Write an int8 trunk under which every task's best classes agree with float32.

    Args:
        backbone: float32, on the CPU; its own read-out is exported.
        folder: replaced if it exists.
        samples: by task; one at least.
        floor: the smallest share of a task's images whose best class must be the same.

    Raises:
        ExportError: no scheme reaches the floor; nothing is written.
    """
    scratch = fresh(folder)
    try:
        tried = try_schemes(backbone, scratch / GRAPH, samples, floor)
        shares = tried[-1].agreement
        if min(shares.values()) < floor:
            words = "; ".join(f"{one.scheme.name}: {_in_words(one.agreement)}" for one in tried)
            raise ExportError(
                f"int8 of {backbone.spec.name}: every task must agree with float32 on {floor:.1%} "
                f"of its images, and under no scheme does ({words}); nothing was written. Serve "
                "float32, or accept less with --floor"
            )
        errors = errors_against_torch(backbone, scratch / GRAPH)
        export = write_report(scratch, backbone.spec, "int8", errors, shares)
        put_in_place(scratch, folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return export


def try_schemes(
    backbone: Backbone, graph: Path, samples: Mapping[str, Sample], floor: float
) -> list[Tried]:
    """Write an int8 graph, scheme after scheme, until every task reaches the floor.

    Args:
        backbone: float32, on the CPU; its own read-out is exported.
        graph: written; the last scheme's stays.
        samples: by task; one at least.
        floor: as in `export_int8`.

    Returns:
        all that were tried; only the last one can have reached the floor.
    """
    tried: list[Tried] = []
    with TemporaryDirectory() as name:
        exact = Path(name) / "float32"
        export_trunk(backbone, exact)
        expected = _labels_of(backbone, exact / GRAPH, samples)
        for scheme in SCHEMES:
            quantise(backbone, exact / GRAPH, graph, scheme)
            shares = _agreement(expected, _labels_of(backbone, graph, samples))
            tried.append(Tried(scheme, shares))
            _log.info("int8, %s: %s", scheme.name, _in_words(shares))
            if min(shares.values()) >= floor:
                break
    return tried


def quantise(backbone: Backbone, source: Path, target: Path, scheme: Scheme) -> None:
    """Write one graph in int8.

    Args:
        backbone: whose blocks tell which product is which, by the shape of its weight.
        source: a float32 graph.
        target: written, its weights inside.
        scheme: which products stay as they are.
    """
    model = onnx.load(source)
    del model.graph.value_info[:]  # shapes that quantising makes untrue
    kept = {_weight_shape(backbone, name) for name in scheme.in_float32}
    shapes = {weight.name: tuple(weight.dims) for weight in model.graph.initializer}
    excluded = [
        node.name
        for node in model.graph.node
        if node.op_type == "MatMul" and shapes.get(node.input[1]) in kept
    ]
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)  # it advises to run its other tools first
    try:
        quantize_dynamic(
            model,
            target,
            op_types_to_quantize=["MatMul"],
            per_channel=True,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=excluded,
            extra_options={"MatMulConstBOnly": True},
        )
    finally:
        root.setLevel(level)


def _weight_shape(backbone: Backbone, name: str) -> tuple[int, ...]:
    """Return the shape in the graph, inputs first, of one of a block's linear layers."""
    block = backbone.trunk.blocks[0]
    layers = {"proj": block.attn.proj, "fc1": block.mlp.fc1, "fc2": block.mlp.fc2}
    return tuple(reversed(layers[name].weight.shape))


def _labels_of(
    backbone: Backbone, graph: Path, samples: Mapping[str, Sample]
) -> dict[str, torch.Tensor]:
    session = open_session(graph)
    return {task: _labels(backbone, session, *sample) for task, sample in samples.items()}


@torch.inference_mode()
def _labels(
    backbone: Backbone,
    session: onnxruntime.InferenceSession,
    resident: Resident,
    pixels: torch.Tensor,
) -> torch.Tensor:
    labels = []
    for chunk in pixels.split(ROWS):
        residents = [resident] * len(chunk)
        prompts = gather_prompts(backbone, resident.form, residents)
        features = run_session(session, graph_inputs(chunk, prompts))
        labels.append(best_classes(features, residents, 1)[1][:, 0])
    return torch.cat(labels)


def _agreement(
    expected: Mapping[str, torch.Tensor], found: Mapping[str, torch.Tensor]
) -> dict[str, float]:
    return {
        task: float((labels == found[task]).double().mean()) for task, labels in expected.items()
    }


def _in_words(shares: Mapping[str, float]) -> str:
    return ", ".join(f"{task} {share:.1%}" for task, share in sorted(shares.items()))
