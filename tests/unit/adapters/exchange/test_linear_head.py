"""A head from elsewhere answers as it did there, or is refused with what is wrong with it."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from adapters.errors import ArtifactMismatch, SptError, WeightsError
from adapters.exchange.linear_head import make_linear, read_class_names, read_head
from adapters.vit.adapter import decode, encode
from tests.fakes.reference import reference_feature
from tests.fakes.tiny import tiny_backbone
from tests.unit.trainer.toy import toy_pixels

BACKBONE = tiny_backbone()
NAMES = "cat\ndog\nfrog\n"


def saved(path: Path, **tensors: torch.Tensor) -> Path:
    save_file(tensors, path)
    return path


def make(folder: Path, head: Path, names: str = NAMES) -> bytes:
    (folder / "names.txt").write_text(names, encoding="utf-8")
    adapter = make_linear("pets", head, folder / "names.txt", BACKBONE.spec, BACKBONE.preprocessing)
    return encode(adapter)


def test_its_answers_are_those_of_the_head_on_the_backbones_features(tmp_path: Path):
    torch.manual_seed(0)
    head = torch.nn.Linear(16, 3)
    adapter = decode(make(tmp_path, saved(tmp_path / "h.safetensors", **head.state_dict())))
    adapter.check_fits(BACKBONE.spec)
    assert adapter.prompts is None
    assert (adapter.meta.method, adapter.meta.metrics) == ("linear", {})
    assert adapter.meta.task.class_names == ("cat", "dog", "frog")
    pixels = toy_pixels(1)[0][0]
    feature = reference_feature(BACKBONE.trunk, adapter, pixels)
    ours = adapter.head_weight @ feature + adapter.head_bias
    torch.testing.assert_close(ours, head(feature).detach())


def test_a_prefix_half_precision_and_no_bias_are_taken(tmp_path: Path):
    weight = torch.randn(3, 16).to(torch.bfloat16)
    path = saved(tmp_path / "h.safetensors", **{"classifier.fc.weight": weight})
    found, bias = read_head(path)
    assert torch.equal(found, weight.float())
    assert torch.equal(bias, torch.zeros(3))
    assert found.dtype == bias.dtype == torch.float32


@pytest.mark.parametrize(
    ("tensors", "words"),
    [
        ({}, "found no tensor"),
        ({"kernel": torch.zeros(3, 16)}, r"expected one linear layer.*kernel \(3, 16\)"),
        ({"weight": torch.zeros(16)}, "expected one linear layer"),
        ({"a.weight": torch.zeros(3, 16), "b.weight": torch.zeros(3, 16)}, "save the head alone"),
        ({"weight": torch.zeros(3, 16), "bias": torch.zeros(4)}, r"maybe bias \(3,\), found bias"),
        ({"fc.weight": torch.zeros(3, 16), "bias": torch.zeros(3)}, "save the head alone"),
        ({"weight": torch.full((3, 16), torch.nan)}, "NaN or infinity"),
    ],
)
def test_what_is_no_linear_layer_is_refused_by_its_tensors(
    tmp_path: Path, tensors: dict[str, torch.Tensor], words: str
):
    with pytest.raises(WeightsError, match=words):
        read_head(saved(tmp_path / "h.safetensors", **tensors))


def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path):
    (tmp_path / "h.pt").write_bytes(b"PK\x03\x04 pickled")
    for name in ("h.pt", "none.safetensors"):
        with pytest.raises(WeightsError, match=r"safetensors\.torch\.save_file"):
            read_head(tmp_path / name)


@pytest.mark.parametrize(
    ("shape", "names", "error", "words"),
    [
        ((3, 24), NAMES, WeightsError, "expected a head on 16 features, .* found 24"),
        ((4, 16), NAMES, ArtifactMismatch, "expected 4 class names, .* found 3"),
        ((3, 16), "a\n\nb\n", ArtifactMismatch, "at least 1 character"),
        ((3, 16), "a\na\nb\n", ArtifactMismatch, "class names appear twice"),
        ((3, 16), '["a", 2, "b"]', ArtifactMismatch, "expected a list of names"),
        ((3, 16), "[", ArtifactMismatch, "class names cannot be read"),
    ],
)
def test_a_head_that_does_not_fit_is_refused(
    tmp_path: Path, shape: tuple[int, int], names: str, error: type[SptError], words: str
):
    head = saved(tmp_path / "h.safetensors", weight=torch.zeros(shape))
    with pytest.raises(error, match=words):
        make(tmp_path, head, names)


@pytest.mark.parametrize(
    "text", ["cat\r\ndog \n", "\ufeffcat\ndog", '["cat", "dog"]', "cat\ndog\n\n"]
)
def test_names_are_read_in_every_usual_form(tmp_path: Path, text: str):
    (tmp_path / "names").write_bytes(text.encode())
    assert read_class_names(tmp_path / "names") == ["cat", "dog"]
