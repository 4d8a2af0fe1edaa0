"""int8 is kept only if every task agrees with float32; how far is written down."""

import pytest
import torch

from adapters.codec import encode
from adapters.store import DirectoryStore
from serving.errors import ExportError
from serving.export import read_export
from serving.int8 import Sample, export_int8
from serving.onnx_backend import OnnxBackend
from serving.quantise import SCHEMES
from serving.resident import make_resident
from serving.samples import read_samples
from serving.torch_backend import TorchBackend
from tests.artifacts import make_adapter, make_spec
from tests.tiny import image_bytes, tiny_backbone
from tests.unit.serving.rows import features_of, some_rows


@pytest.fixture
def backbone():
    return tiny_backbone()


def some_samples(backbone, count=8):
    resident = make_resident(make_adapter(classes=2, backbone=backbone.spec), backbone)
    return {"pets": Sample(resident, torch.randn(count, 3, 16, 16))}


def test_int8_is_near_float32_and_says_how_near(backbone, tmp_path):
    export = export_int8(backbone, tmp_path / "trunk", some_samples(backbone), floor=0.0)
    assert read_export(tmp_path / "trunk") == export
    assert export.precision == "int8"
    assert 0 <= export.agreement["pets"] <= 1
    backend = OnnxBackend(backbone, tmp_path / "trunk", "int8")
    _, residents, pixels = some_rows(backbone, 4, lengths=(4,))
    exact = features_of(TorchBackend(backbone), residents, pixels)
    found = features_of(backend, residents, pixels)
    assert torch.cosine_similarity(found, exact).min() > 0.97
    assert (found - exact).abs().max() > 0


def test_below_the_floor_nothing_is_written_and_every_scheme_was_tried(backbone, tmp_path):
    with pytest.raises(ExportError, match="pets") as refusal:
        export_int8(backbone, tmp_path / "trunk", some_samples(backbone), floor=1.01)
    assert all(scheme.name in str(refusal.value) for scheme in SCHEMES)
    assert list(tmp_path.iterdir()) == []


def test_samples_are_images_of_published_tasks_of_this_backbone(backbone, tmp_path):
    store = DirectoryStore(tmp_path / "store")
    for adapter in (
        make_adapter("pets", backbone=backbone.spec),
        make_adapter("cars", backbone=backbone.spec),
        make_adapter("foreign", backbone=make_spec(name="another")),
        make_adapter("early", backbone=backbone.spec, method="spt-shallow"),
    ):
        store.publish(encode(adapter))
    for task in ("pets", "foreign", "early", "unpublished"):
        folder = tmp_path / "images" / task / "deep" / "down"
        folder.mkdir(parents=True)
        for i in range(5):
            (folder / f"{i}.png").write_bytes(image_bytes(i))
    samples = read_samples(backbone, tmp_path / "store", tmp_path / "images", most=3)
    assert {task: len(sample.pixels) for task, sample in samples.items()} == {"pets": 3}


def test_without_any_image_the_message_says_where_they_belong(backbone, tmp_path):
    with pytest.raises(ExportError, match=r"expected .*images/<task>"):
        read_samples(backbone, tmp_path / "store", tmp_path / "images")
