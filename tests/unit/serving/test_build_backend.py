"""Settings become the backend that they name; the backbone that is given stays as it is."""

import torch

from serving.build_backend import build_backend
from serving.config import ServingConfig
from serving.trunk.cpu import CpuBackend
from tests.fakes.tiny import tiny_backbone


def test_a_trunk_in_bfloat16_is_a_copy():
    backbone = tiny_backbone()
    backend = build_backend(ServingConfig(precision="bfloat16"), backbone)
    assert isinstance(backend, CpuBackend)
    assert (backend.backbone.dtype, backbone.dtype) == (torch.bfloat16, torch.float32)


def test_openvino_gets_the_backbone_in_float32_whatever_it_computes_in(tmp_path, monkeypatch):
    backbone, asked = tiny_backbone(), []

    def made(*told):
        asked.append(told)
        return CpuBackend(told[0])

    monkeypatch.setattr("serving.openvino.backend.OpenVinoBackend", made)
    build_backend(ServingConfig(backend="openvino", onnx=tmp_path, precision="bfloat16"), backbone)
    assert asked == [(backbone, tmp_path, "bfloat16")]
