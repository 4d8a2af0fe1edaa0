"""Keys and values beside prompts are in the exported graph; rows with biases run in torch."""

import pytest

from serving.onnx.backend import OnnxBackend
from serving.openvino.backend import OpenVinoBackend
from serving.rows.resident import make_resident
from serving.trunk.backend import covers
from tests.fakes.beside import adapter_with, changed
from tests.fakes.reference import reference_feature
from tests.fakes.rows import features_of
from tests.fakes.tiny import tiny_backbone
from tests.unit.trainer.toy import toy_pixels


@pytest.mark.parametrize("backend", [OnnxBackend, OpenVinoBackend], ids=lambda one: one.__name__)
@pytest.mark.parametrize(
    ("options", "in_graph"), [({"keys_values": 3}, True), ({"biases": True}, False)]
)
def test_each_row_equals_its_token_form(backend, options, in_graph, cls_folder):
    running = backend(tiny_backbone(), cls_folder)
    spec = running.backbone.spec
    adapters = [adapter_with(seed=i, prompts=2 + i, backbone=spec, **options) for i in range(3)]
    residents = [make_resident(adapter, running.backbone) for adapter in adapters]
    assert all(covers(spec, resident.form) == in_graph for resident in residents)
    pixels = toy_pixels(3)[0]
    found = features_of(running, residents, pixels)
    for feature, adapter, image in zip(found, adapters, pixels, strict=True):
        trunk = changed(tiny_backbone().trunk.double(), adapter)
        expected = reference_feature(trunk, adapter, image)
        assert (feature - expected).abs().max() / expected.abs().max() < 1e-5
