"""int8 is kept only if every task agrees with float32; how far and what stays in doubt is said."""

import shutil

import pytest
import torch

from adapters.store.directory import DirectoryStore
from adapters.vit.adapter import encode
from serving.errors import ExportError
from serving.onnx.backend import OnnxBackend
from serving.onnx.export import read_export
from serving.onnx.int8 import export_int8
from serving.onnx.samples import read_samples
from serving.rounding.agreement import Sample
from serving.rows.resident import make_resident
from serving.trunk.backend import Example, Form
from serving.trunk.cpu import CpuBackend
from tests.fakes.artifacts import make_adapter, make_spec
from tests.fakes.processors import needs_int8_dot_products
from tests.fakes.rows import features_of, some_rows
from tests.fakes.tiny import image_bytes, tiny_backbone


@pytest.fixture
def backbone():
    return tiny_backbone()


@pytest.fixture
def _exported_already(cls_folder, monkeypatch):
    """What is rounded was written once for all tests."""
    monkeypatch.setattr(
        "serving.onnx.int8.export_trunk", lambda _, folder: shutil.copytree(cls_folder, folder)
    )


def some_samples(backbone, count=8):
    resident = make_resident(make_adapter(classes=2, backbone=backbone.spec), backbone)
    return {"pets": Sample(resident, torch.randn(count, 3, 16, 16))}


@needs_int8_dot_products
@pytest.mark.usefixtures("_exported_already")
def test_int8_is_near_float32_and_says_how_near(backbone, tmp_path):
    export = export_int8(backbone, tmp_path / "trunk", some_samples(backbone), floor=0.0)
    assert read_export(tmp_path / "trunk") == export
    assert export.precision == "int8"
    assert 0 <= export.agreement["pets"].same <= 1
    backend = OnnxBackend(backbone, tmp_path / "trunk", "int8")
    _, residents, pixels = some_rows(backbone, 4, lengths=(4,))
    exact = features_of(CpuBackend(backbone), residents, pixels)
    found = features_of(backend, residents, pixels)
    assert torch.cosine_similarity(found, exact).min() > 0.999
    assert (found - exact).abs().max() > 0
    torch.testing.assert_close(features_of(backend.exact, residents, pixels), exact)


@pytest.mark.usefixtures("_exported_already")
def test_a_backend_doubts_only_what_is_in_its_graph(backbone, tmp_path, monkeypatch):
    monkeypatch.setattr("serving.rounding.agreement.settle_doubt", lambda *_: 0.25)
    export_int8(backbone, tmp_path / "trunk", some_samples(backbone), floor=0.0)
    backend = OnnxBackend(backbone, tmp_path / "trunk", "int8")
    form = Form(0, False, "cls", "before-pooling")
    assert backend.doubt(form) == 0.25
    assert backend.doubt(form._replace(pooling="mean")) == 0
    backend.warm_up([Example(form, 4)])


@pytest.mark.usefixtures("_exported_already")
def test_below_the_floor_nothing_is_written(backbone, tmp_path):
    with pytest.raises(ExportError, match=r"pets [0-9.]+% with .* computed again"):
        export_int8(backbone, tmp_path / "trunk", some_samples(backbone), floor=1.01)
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
    (tmp_path / "store").mkdir()
    with pytest.raises(ExportError, match=r"expected .*images/<task>"):
        read_samples(backbone, tmp_path / "store", tmp_path / "images")
