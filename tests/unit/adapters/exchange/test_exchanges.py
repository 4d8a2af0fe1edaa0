"""What is exported answers as we do, where this package is not installed, and says what it is."""

import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from adapters.artifact.codec import version_of
from adapters.errors import ArtifactCorrupt, ArtifactMismatch
from adapters.exchange import predict, torch_program
from adapters.exchange.hub import write_hub
from adapters.exchange.torch_program import write_program
from adapters.images.crop import crop_centre
from adapters.vit.adapter import Adapter, encode
from adapters.vit.backbone import Backbone
from adapters.vit.pixels import normalise
from tests.fakes.artifacts import make_adapter
from tests.fakes.reference import reference_scores
from tests.fakes.tiny import image_bytes, tiny_backbone
from tests.test_architecture import imported

CARD = "---\nlicense: mit\n---\n\n# pets\n"


def adapter_of(backbone: Backbone, method: str) -> Adapter:
    return make_adapter(method=method, backbone=backbone.spec, temperature=2.0)


@pytest.mark.parametrize(
    ("method", "pooling"),
    [
        ("spt-deep", "cls"),
        ("spt-deep", "mean-with-prompts"),
        ("spt-shallow", "mean"),
        ("linear", "cls"),
    ],
)
def test_the_program_is_the_whole_task_and_answers_as_the_reference(
    tmp_path: Path, method: str, pooling: str
):
    backbone = tiny_backbone(pooling=pooling)
    adapter = adapter_of(backbone, method)
    error = write_program(backbone, encode(adapter), tmp_path / "out")
    assert error < 1e-5
    about = {"task.json": ""}
    program = torch.export.load(tmp_path / "out" / "program.pt2", extra_files=about)
    generator = torch.Generator().manual_seed(5)
    crops = torch.randint(0, 256, (5, 16, 16, 3), dtype=torch.uint8, generator=generator)
    temperature = json.loads(about["task.json"])["temperature"]
    scores = (program.module()(crops) / temperature).softmax(dim=1)
    for crop, found in zip(crops, scores, strict=True):
        pixels = normalise(crop.numpy(), adapter.meta.preprocessing)
        expected = reference_scores(backbone.trunk, adapter, pixels)
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_the_script_next_to_it_names_an_image_without_this_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    assert imported(Path(predict.__file__)) == {
        "json",
        "sys",
        "pathlib",
        "typing",
        "numpy",
        "torch",
        "PIL",
    }
    backbone = tiny_backbone()
    adapter = adapter_of(backbone, "spt-deep")
    out = tmp_path / "out"
    write_program(backbone, encode(adapter), out)
    photo = tmp_path / "photo.png"
    photo.write_bytes(image_bytes(3, (40, 30)))
    monkeypatch.setattr(sys, "argv", ["predict.py", str(photo)])
    runpy.run_path(str(out / "predict.py"), run_name="__main__")
    name, score = capsys.readouterr().out.split(": ")[1].split()
    image = Image.open(photo).convert("RGB")
    pixels = normalise(crop_centre(image, adapter.meta.preprocessing), adapter.meta.preprocessing)
    expected = reference_scores(backbone.trunk, adapter, pixels)
    assert name == f"class-{int(expected.argmax())}"
    assert float(score) == pytest.approx(float(expected.max()), abs=1e-4)


@pytest.mark.parametrize("size", [(40, 30), (30, 40), (16, 16), (17, 90)])
def test_the_scripts_crop_is_ours(size: tuple[int, int]):
    image = Image.effect_noise(size, 60).convert("RGB")
    rule = make_adapter().meta.preprocessing
    for side in (16, 20, 13):
        one = rule.model_copy(update={"resize": "shorter", "resize_size": side})
        assert np.array_equal(predict.crop_of(image, one.model_dump()), crop_centre(image, one))
    for one in (rule, rule.model_copy(update={"interpolation": "bilinear"})):
        theirs = predict.crop_of(image, one.model_dump())
        assert np.array_equal(theirs, crop_centre(image, one))


def test_a_program_for_another_backbone_or_of_a_damaged_artifact_is_not_written(tmp_path: Path):
    backbone = tiny_backbone()
    with pytest.raises(ArtifactMismatch, match="trained on backbone tiny"):
        write_program(backbone, encode(make_adapter(depth=3, width=16)), tmp_path / "out")
    with pytest.raises(ArtifactCorrupt):
        write_hub(b"damaged", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_program_that_computes_something_else_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    backbone = tiny_backbone()
    monkeypatch.setattr(torch_program, "MAX_ERROR", -1.0)
    with pytest.raises(ArtifactMismatch, match="logits differ from ours"):
        write_program(backbone, encode(adapter_of(backbone, "linear")), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_hubs_folder_holds_the_artifact_as_it_is_its_config_and_its_card(tmp_path: Path):
    adapter = make_adapter(temperature=2.0)
    meta = adapter.meta.model_copy(update={"card": CARD})
    data = encode(Adapter(adapter.prompts, adapter.head_weight, adapter.head_bias, meta))
    write_hub(data, tmp_path / "hub")
    assert (tmp_path / "hub/model.safetensors").read_bytes() == data
    config = json.loads((tmp_path / "hub/config.json").read_text())
    assert config["id2label"] == {"0": "class-0", "1": "class-1", "2": "class-2"}
    assert config["label2id"]["class-2"] == 2
    assert (config["prompts"], config["temperature"]) == ([2, 4, 8], 2.0)
    assert config["backbone"]["weights_sha256"] == "ab" * 32
    readme = (tmp_path / "hub/README.md").read_text()
    assert yaml.safe_load(readme.split("---\n")[1]) == {"license": "mit"}
    assert version_of(data) in readme


def test_an_artifact_without_a_card_claims_nothing(tmp_path: Path):
    write_hub(encode(make_adapter()), tmp_path / "hub")
    assert "It carries no card" in (tmp_path / "hub/README.md").read_text()


def test_nothing_is_written_over(tmp_path: Path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="not empty; choose another --out"):
        write_hub(encode(make_adapter()), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
