"""An exported trunk computes what the token form does; a wrong or damaged one is refused."""

import json
import shutil
from collections.abc import Callable
from functools import partial

import pytest
import torch

from adapters.vit.trunk import Trunk
from serving.errors import ExportError
from serving.onnx.backend import OnnxBackend
from serving.onnx.export import (
    GRAPH,
    REPORT,
    export_trunk,
    read_export,
)
from serving.openvino.backend import OpenVinoBackend
from serving.trunk.backend import Example, Form, covers
from tests.fakes.other_trunks import other_trunk
from tests.fakes.rows import expected_of, features_of, some_rows
from tests.fakes.tiny import tiny_backbone, tiny_trunk

BACKENDS = (OnnxBackend, OpenVinoBackend)
SIGLIP = {"class_token": False, "global_pool": "map", "pre_norm": True}
SCALED = {"init_values": 0.1, "qk_norm": True}
TRUNKS: dict[str, Callable[[], Trunk]] = {
    "siglip": partial(tiny_trunk, depth=2, **SIGLIP, **SCALED),
    "dinov3": partial(other_trunk, "vit_small_patch16_dinov3"),
    "beit": partial(other_trunk, "beit_base_patch16_224"),
}
"""Of two blocks, one whose rows are all computed and the last one: each more is traced once more.

Each export takes many seconds: that every read-out of every trunk is exact is known of the forward
that is traced.
"""


@pytest.fixture(params=BACKENDS, ids=lambda backend: backend.__name__)
def cls_backend(cls_folder, request):
    return request.param(tiny_backbone(), cls_folder)


def assert_computes_as_the_token_form(backend, trunk, **form):
    for rows in (1, 2, 5):
        adapters, residents, pixels = some_rows(backend.backbone, rows, **form)
        assert covers(backend.backbone.spec, residents[0].form)
        expected = expected_of(adapters, pixels, trunk)
        found = features_of(backend, residents, pixels)
        assert (found - expected).abs().max() / expected.abs().max() < 1e-5


def test_the_graph_computes_rows_of_any_length_as_the_token_form_does(cls_backend):
    lengths, first_blocks = (4, 0, 7, 1, 4), (0, 0, 1, 1)
    assert_computes_as_the_token_form(
        cls_backend, tiny_trunk(), lengths=lengths, first_blocks=first_blocks
    )


@pytest.mark.parametrize(
    ("name", "pooling", "lengths"),
    [
        ("siglip", "map", (4, 0, 7)),
        ("dinov3", "cls", (4, 0, 7)),
        ("beit", "mean-with-prompts", (4,)),
    ],
)
def test_graphs_of_other_trunks_and_read_outs_do_so_too(name, pooling, lengths, tmp_path):
    backbone = tiny_backbone(TRUNKS[name](), pooling=pooling)
    export_trunk(backbone, tmp_path / "trunk")
    for backend in BACKENDS:
        assert_computes_as_the_token_form(
            backend(backbone, tmp_path / "trunk"),
            TRUNKS[name](),
            pooling=pooling,
            lengths=lengths,
        )


@pytest.mark.parametrize(
    ("method", "pooling"),
    [("spt-shallow", "cls"), ("spt-deep", "mean"), ("spt-deep", "mean-with-prompts")],
)
def test_forms_that_are_not_in_the_graph_run_in_torch(method, pooling, cls_backend):
    adapters, residents, pixels = some_rows(
        cls_backend.backbone, 3, method=method, pooling=pooling, lengths=(4,)
    )
    expected = expected_of(adapters, pixels)
    found = features_of(cls_backend, residents, pixels)
    assert (found - expected).abs().max() / expected.abs().max() < 1e-5


def test_rows_without_any_prompts_have_a_batch_of_their_own(cls_backend):
    adapters, residents, pixels = some_rows(cls_backend.backbone, 2, lengths=(0,))
    expected = expected_of(adapters, pixels)
    found = features_of(cls_backend, residents, pixels)
    assert (found - expected).abs().max() / expected.abs().max() < 1e-5


def test_warming_up_names_the_forms_that_run_in_torch(cls_backend, caplog):
    shallow = Form(3, True, "cls", "before-pooling")
    cls_backend.warm_up([Example(Form(0, False, "cls", "before-pooling"), 20), Example(shallow, 0)])
    assert caplog.text.count("runs in torch") == 1


def test_a_report_lies_beside_the_graph(cls_written):
    folder, export = cls_written
    assert read_export(folder) == export
    assert export.backbone == tiny_backbone().spec
    assert 0 < max(export.errors.values()) < 1e-5
    assert sorted(path.name for path in folder.parent.iterdir()) == ["trunk"]


def test_an_export_of_another_backbone_or_precision_is_refused(cls_folder):
    other = tiny_backbone(tiny_trunk(seed=1))
    with pytest.raises(ExportError, match="weights_sha256"):
        OnnxBackend(other, cls_folder)
    with pytest.raises(ExportError, match="float32 against int8"):
        OnnxBackend(tiny_backbone(), cls_folder, "int8")


@pytest.mark.parametrize("name", [GRAPH, "trunk.onnx.data", REPORT])
@pytest.mark.parametrize("damage", ["flipped", "missing"])
def test_a_damaged_export_is_refused_by_the_name_of_its_file(name, damage, cls_folder, tmp_path):
    folder = shutil.copytree(cls_folder, tmp_path / "trunk")
    if damage == "missing":
        (folder / name).unlink()
    else:
        data = bytearray((folder / name).read_bytes())
        data[len(data) // 2] ^= 0xFF
        (folder / name).write_bytes(data)
    with pytest.raises(ExportError, match="export` again"):
        OnnxBackend(tiny_backbone(), folder)


def test_an_export_of_an_earlier_format_is_refused(cls_folder, tmp_path):
    folder = shutil.copytree(cls_folder, tmp_path / "trunk")
    report = json.loads((folder / REPORT).read_text())
    del report["format"]
    (folder / REPORT).write_text(json.dumps(report))
    with pytest.raises(ExportError, match="format 1, this program takes 2; run `spt export` again"):
        OnnxBackend(tiny_backbone(), folder)


def test_a_graph_that_strays_from_torch_is_not_written(tmp_path, monkeypatch, cls_folder):
    monkeypatch.setattr(
        "serving.onnx.export._write_graph",
        lambda _, path: shutil.copytree(cls_folder, path.parent, dirs_exist_ok=True),
    )
    monkeypatch.setattr(
        "serving.onnx.export.errors_against_torch", lambda *_: {"2 rows": float("nan")}
    )
    with pytest.raises(ExportError, match="2 rows"):
        export_trunk(tiny_backbone(), tmp_path / "trunk")
    assert list(tmp_path.iterdir()) == []


def test_a_bfloat16_backbone_cannot_be_exported(tmp_path):
    with pytest.raises(ExportError, match="float32"):
        export_trunk(tiny_backbone(dtype=torch.bfloat16), tmp_path / "trunk")
