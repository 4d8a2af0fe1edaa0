"""Google's .npz files fill a trunk as timm's own reader does, and nothing is skipped in silence."""

import logging
from pathlib import Path

import numpy as np
import pytest
import torch

from adapters.errors import WeightsError
from adapters.vit.weights import digest, load_weights
from tests.fakes.tiny import tiny_trunk
from tests.unit.adapters.vit.layouts.google_npz import (
    WIDTH,
    Arrays,
    google_arrays,
    save_npz,
    with_pre_logits,
)

AUGREG, ORIGINAL = "vit_base_patch16_224.augreg_in21k", "vit_base_patch16_224.orig_in21k"
BLOCK = "Transformer/encoderblock_1"


def as_timm_reads(path: Path, **sizes: int) -> str:
    trunk = tiny_trunk(seed=5, **sizes)
    trunk.load_pretrained(str(path))
    return digest(trunk)


def as_we_read(name: str, path: Path, **sizes: int) -> str:
    trunk = tiny_trunk(seed=6, **sizes)
    load_weights(trunk, name, path)
    return digest(trunk)


def refusal(name: str, path: Path, **sizes: int) -> str:
    trunk = tiny_trunk(seed=6, **sizes)
    before = digest(trunk)
    with pytest.raises(WeightsError) as caught:
        load_weights(trunk, name, path)
    assert digest(trunk) == before
    return str(caught.value)


def test_an_augreg_file_fills_every_tensor_as_timm_does(tmp_path: Path):
    path = save_npz(google_arrays(), tmp_path / "weights.npz")
    assert as_we_read(AUGREG, path) == as_timm_reads(path)


def test_an_original_file_fills_every_tensor_and_leaves_its_pre_logits_out(tmp_path: Path):
    path = save_npz(with_pre_logits(google_arrays()), tmp_path / "weights.npz")
    assert as_we_read(ORIGINAL, path) == as_timm_reads(path)


def renumbered(arrays: Arrays) -> Arrays:
    changes = {
        "Transformer/posembed_input/pos_embedding": "pos_embedding",
        "MultiHeadDotProductAttention_1": "MultiHeadDotProductAttention_0",
        "MlpBlock_3": "MlpBlock_0",
        "LayerNorm_2": "LayerNorm_1",
    }
    found = {}
    for name, array in arrays.items():
        for usual, later in changes.items():
            name = name.replace(usual, later)  # noqa: PLW2901
        found[f"params/{name}"] = array
    return found


def test_the_names_of_googles_later_code_are_taken_too(tmp_path: Path):
    path = save_npz(renumbered(google_arrays()), tmp_path / "weights.npz")
    assert as_we_read(AUGREG, path) == as_timm_reads(path)


def test_an_augreg_file_under_the_originals_name_is_refused_with_the_right_name(tmp_path: Path):
    message = refusal(ORIGINAL, save_npz(google_arrays(), tmp_path / "weights.npz"))
    assert f"BACKBONE={ORIGINAL} asks for another (supervised, original)" in message
    assert f"set BACKBONE={AUGREG}" in message


def test_an_original_file_under_augregs_name_is_refused_with_the_right_name(tmp_path: Path):
    path = save_npz(with_pre_logits(google_arrays()), tmp_path / "weights.npz")
    message = refusal(AUGREG, path)
    assert f"BACKBONE={AUGREG} asks for another (supervised, AugReg)" in message
    assert f"set BACKBONE={ORIGINAL}" in message


def test_a_right_name_that_timm_does_not_know_is_not_advised(tmp_path: Path):
    path = save_npz(google_arrays(), tmp_path / "weights.npz")
    message = refusal("vit_huge_patch14_224.orig_in21k", path)
    assert "timm knows no vit_huge_patch14_224.augreg_in21k" in message
    assert "set BACKBONE" not in message


@pytest.mark.parametrize("tag", ["mae", "mocov3"])
def test_a_supervised_file_under_a_self_supervised_name_is_refused(tag: str, tmp_path: Path):
    path = save_npz(google_arrays(), tmp_path / "weights.npz")
    assert "is a supervised .npz" in refusal(f"vit_base_patch16_224.{tag}", path)


@pytest.mark.parametrize("name", ["augreg_in21k_ft_in1k", "orig_in21k_ft_in1k", "sam_in1k"])
def test_where_the_keys_cannot_tell_the_name_is_believed(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    path = save_npz(google_arrays(), tmp_path / "weights.npz")
    assert as_we_read(f"vit_base_patch16_224.{name}", path) == as_timm_reads(path)
    assert caplog.messages == []


@pytest.mark.parametrize(
    ("original", "words"),
    [(True, ORIGINAL), (False, f"AugReg's checkpoint or a fine-tuned one.*{AUGREG}")],
)
def test_a_name_without_a_tag_is_taken_and_told_which_it_is(
    original: bool, words: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    arrays = with_pre_logits(google_arrays()) if original else google_arrays()
    path = save_npz(arrays, tmp_path / "weights.npz")
    with caplog.at_level(logging.WARNING):
        assert as_we_read("vit_base_patch16_224", path) == as_timm_reads(path)
    assert len(caplog.messages) == 1
    assert caplog.messages[0].startswith(f"weights file {path} holds")
    assert all(word in caplog.messages[0] for word in words.split(".*"))


def test_a_missing_array_is_named_as_the_file_would_name_it(tmp_path: Path):
    arrays = google_arrays()
    del arrays[f"{BLOCK}/MultiHeadDotProductAttention_1/key/bias"], arrays["cls"]
    message = refusal(AUGREG, save_npz(arrays, tmp_path / "weights.npz"))
    missing = f"missing: 2 ({BLOCK}/MultiHeadDotProductAttention_1/key/bias, cls)"
    assert f"{missing}; unexpected: none; other shapes: none" in message


def test_an_unexpected_array_is_named(tmp_path: Path):
    arrays = google_arrays() | {"Transformer/encoderblock_3/LayerNorm_0/bias": np.ones(WIDTH)}
    message = refusal(AUGREG, save_npz(arrays, tmp_path / "weights.npz"))
    assert "unexpected: 1 (Transformer/encoderblock_3/LayerNorm_0/bias)" in message


def test_an_array_of_another_shape_is_named_with_both_shapes(tmp_path: Path):
    arrays = google_arrays() | {f"{BLOCK}/MlpBlock_3/Dense_0/kernel": np.ones((16, 32))}
    message = refusal(AUGREG, save_npz(arrays, tmp_path / "weights.npz"))
    assert "blocks.1.mlp.fc1.weight is (32, 16), expected (64, 16)" in message


@pytest.mark.parametrize("shape", [(), (16,), (3, 5), (2, 2, 2, 2), (0, 2, 8)])
@pytest.mark.parametrize("name", ["query/kernel", "out/kernel"])
def test_an_array_of_a_shape_that_makes_no_sense_is_refused_in_one_line(
    name: str, shape: tuple[int, ...], tmp_path: Path
):
    place = f"{BLOCK}/MultiHeadDotProductAttention_1/{name}"
    message = refusal(
        AUGREG, save_npz(google_arrays() | {place: np.ones(shape)}, tmp_path / "weights.npz")
    )
    assert str(tmp_path / "weights.npz") in message
    assert "blocks.1.attn" in message
    assert "\n" not in message


def test_position_embeddings_of_another_grid_are_resampled_as_timm_does_and_that_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    arrays = google_arrays(side=4)
    path = save_npz(arrays, tmp_path / "weights.npz")
    ours, timms = tiny_trunk(seed=5), tiny_trunk(seed=6)
    load_weights(ours, AUGREG, path)
    timms.load_pretrained(str(path))
    for name, tensor in timms.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], tensor, rtol=0, atol=1e-6)
    positions = arrays["Transformer/posembed_input/pos_embedding"][0, 1:].astype(np.float64)
    halved = positions.reshape(2, 2, 2, 2, WIDTH).mean(axis=(1, 3)).astype(np.float32)
    assert np.array_equal(ours.pos_embed[0, 1:], halved.reshape(4, WIDTH)), "to the last bit"
    said = [record for record in caplog.records if record.name == "adapters.vit.layouts.positions"]
    assert [record.getMessage() for record in said] == [
        f"{path}: position embeddings of 4x4 patches resampled to the backbone's 2x2"
    ]


def test_position_embeddings_of_the_right_grid_are_not_touched(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    arrays = google_arrays()
    trunk = tiny_trunk()
    load_weights(trunk, AUGREG, save_npz(arrays, tmp_path / "weights.npz"))
    assert np.array_equal(trunk.pos_embed, arrays["Transformer/posembed_input/pos_embedding"])
    assert caplog.messages == []


def test_position_embeddings_of_no_square_grid_are_refused(tmp_path: Path):
    positions = {"Transformer/posembed_input/pos_embedding": np.ones((1, 7, 16), np.float32)}
    message = refusal(AUGREG, save_npz(google_arrays() | positions, tmp_path / "weights.npz"))
    assert "pos_embed is (1, 7, 16), expected (1, 5, 16)" in message


def test_a_trunk_with_parts_that_googles_vit_lacks_is_refused(tmp_path: Path):
    path = save_npz(google_arrays(), tmp_path / "weights.npz")
    assert "blocks.0.ls1.gamma" in refusal(AUGREG, path, init_values=1)


def test_a_file_of_objects_is_refused_unexecuted(tmp_path: Path):
    arrays = google_arrays() | {"cls": np.array([{"a": 1}], dtype=object)}
    message = refusal(AUGREG, save_npz(arrays, tmp_path / "weights.npz"))
    assert "damaged or holds more than arrays of numbers (ValueError)" in message
