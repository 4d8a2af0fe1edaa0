"""int8 in OpenVINO: near float32, of a graph whose margin OpenVINO itself measured."""

import shutil

import onnx
import pytest
import torch

from serving.errors import ExportError
from serving.onnx.backend import OnnxBackend
from serving.onnx.export import GRAPH, export_trunk
from serving.onnx.int8 import export_int8
from serving.openvino.backend import OpenVinoBackend
from serving.openvino.int8 import OPENVINO
from serving.rounding.agreement import Sample
from serving.rows.resident import make_resident
from serving.trunk.cpu import CpuBackend
from tests.fakes.artifacts import make_adapter
from tests.fakes.processors import needs_int8_dot_products
from tests.fakes.rows import features_of, some_rows
from tests.fakes.tiny import tiny_backbone


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A backbone, and the folder of its int8 export for OpenVINO."""
    backbone, folder = tiny_backbone(), tmp_path_factory.mktemp("openvino") / "trunk"
    exact = folder.with_name("exact")
    export_trunk(backbone, exact)
    resident = make_resident(make_adapter(classes=2, backbone=backbone.spec), backbone)
    sample = Sample(resident, torch.randn(8, 3, 16, 16))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(
            "serving.onnx.int8.export_trunk", lambda _, target: shutil.copytree(exact, target)
        )
        export_int8(backbone, folder, {"pets": sample}, 0.0, OPENVINO)
    return backbone, folder


@needs_int8_dot_products
def test_its_features_are_near_the_exact_ones_but_rounded(exported):
    backbone, folder = exported
    _, residents, pixels = some_rows(backbone, 4, lengths=(4,))
    exact = features_of(CpuBackend(backbone), residents, pixels)
    found = features_of(OpenVinoBackend(backbone, folder, "int8"), residents, pixels)
    assert torch.cosine_similarity(found, exact).min() > 0.99
    assert (found - exact).abs().max() > 1e-3 * exact.abs().max()


def test_every_product_by_a_weight_is_rounded_and_no_other(exported):
    graph = onnx.load(exported[1] / GRAPH).graph
    made_by = {name: node for node in graph.node for name in node.output}
    kinds = {
        tuple(getattr(made_by.get(name), "op_type", "none") for name in node.input[:2])
        for node in graph.node
        if node.op_type in ("MatMul", "Gemm")
    }
    rounded = ("DequantizeLinear", "DequantizeLinear")
    assert rounded in kinds
    assert not [kind for kind in kinds - {rounded} if "DequantizeLinear" in kind]


def test_an_export_for_one_runtime_is_refused_by_the_other(exported):
    backbone, folder = exported
    with pytest.raises(ExportError, match="int8 of runtime openvino against onnx"):
        OnnxBackend(backbone, folder, "int8")
