"""One set of weights has one digest, whatever file it comes from; anything else is refused."""

from collections.abc import Callable
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file
from timm.layers import resample_abs_pos_embed
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor

from adapters.errors import WeightsError
from adapters.vit.weights import digest, load_weights
from tests.fakes.tiny import tiny_trunk

State = dict[str, Tensor]


class TouchesAFile:
    """Unpickling this would create a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., object], tuple[Path]]:
        return Path.touch, (self.path,)


@pytest.fixture
def state() -> State:
    """Return weights that float16 holds exactly."""
    return {k: v.half().float() for k, v in tiny_trunk(seed=1).state_dict().items()}


def loaded(path: Path, name: str = "tiny") -> VisionTransformer:
    trunk = tiny_trunk(seed=2)
    load_weights(trunk, name, path)
    return trunk


def saved(checkpoint: object, folder: Path) -> Path:
    path = folder / "weights.pth"
    torch.save(checkpoint, path)
    return path


def refusal(path: Path, name: str = "tiny") -> str:
    with pytest.raises(WeightsError) as caught:
        loaded(path, name)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def expected_digest(state: State) -> str:
    trunk = tiny_trunk(seed=3)
    trunk.load_state_dict(state)
    return digest(trunk)


def prefixed(state: State, prefix: str) -> State:
    return {f"{prefix}{key}": value for key, value in state.items()}


WRAPPED: dict[str, Callable[[State], object]] = {
    "plain": lambda state: state,
    "model": lambda state: {"model": state, "epoch": 800},
    "state_dict": lambda state: {"state_dict": state},
    "data parallel": lambda state: {"state_dict": prefixed(state, "module.")},
    "with a classifier": lambda state: {"model": state | {"head.weight": torch.zeros(10, 16)}},
}


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".bin"])
@pytest.mark.parametrize("form", WRAPPED)
def test_every_pytorch_form_gives_the_same_digest(
    form: str, suffix: str, state: State, tmp_path: Path
):
    path = tmp_path / f"weights{suffix}"
    torch.save(WRAPPED[form](state), path)
    assert digest(loaded(path)) == expected_digest(state)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_safetensors_of_every_type_that_holds_the_values_give_the_same_digest(
    dtype: torch.dtype, state: State, tmp_path: Path
):
    path = tmp_path / "weights.safetensors"
    save_file({k: v.to(dtype) for k, v in state.items()}, path)
    assert digest(loaded(path)) == expected_digest(state)


def test_one_changed_weight_changes_the_digest():
    trunk = tiny_trunk()
    before = digest(trunk)
    trunk.blocks[1].mlp.fc2.bias.data[3] += 1e-4
    assert digest(trunk) != before
    assert digest(tiny_trunk()) == before


def test_the_same_numbers_under_other_names_have_another_digest():
    trunk = tiny_trunk()
    before = digest(trunk)
    norm1, norm2 = trunk.blocks[0].norm1, trunk.blocks[0].norm2
    trunk.blocks[0].norm1, trunk.blocks[0].norm2 = norm2, norm1
    assert digest(trunk) != before


def without(key: str) -> Callable[[State], State]:
    return lambda state: {k: v for k, v in state.items() if k != key}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (without("blocks.1.norm1.weight"), r"missing: 1 \(blocks\.1\.norm1\.weight\)"),
        (lambda s: s | {"rope.freqs": torch.zeros(2)}, r"unexpected: 1 \(rope\.freqs\)"),
        (
            lambda s: s | {"pos_embed": torch.zeros(1, 8, 16)},
            r"pos_embed is \(1, 8, 16\), expected \(1, 5, 16\)",
        ),
    ],
    ids=["missing", "unexpected", "mis-shaped"],
)
def test_what_does_not_fit_is_named(
    change: Callable[[State], State], words: str, state: State, tmp_path: Path
):
    path = tmp_path / "weights.safetensors"
    save_file(change(state), path)
    with pytest.raises(WeightsError, match=rf"{path} do not fit.*{words}.*BACKBONE"):
        loaded(path)


def test_of_many_keys_the_first_five_and_their_number_are_named(state: State, tmp_path: Path):
    kept = {k: v for k, v in state.items() if not k.startswith("blocks.1.")}
    message = refusal(saved(kept, tmp_path))
    assert "missing: 12 (blocks.1.attn.proj.bias, blocks.1.attn.proj.weight, " in message
    assert message.count("blocks.1.") == 5


def moco_pretraining(state: State) -> dict[str, object]:
    """Return what MoCo v3's pre-training leaves: the encoder, its moving average, two heads."""
    return {
        "epoch": 300,
        "arch": "vit_base",
        "state_dict": prefixed(state, "module.base_encoder.")
        | {"module.base_encoder.head.0.weight": torch.zeros(3, 3)}
        | {"module.base_encoder.head.1.running_mean": torch.zeros(3)}
        | {"module.predictor.0.weight": torch.zeros(3, 3)}
        | prefixed({k: v + 1 for k, v in state.items()}, "module.momentum_encoder."),
    }


def moco_linear_probe(state: State) -> dict[str, object]:
    """Return what MoCo v3's linear probe leaves: the same encoder, a classifier."""
    classifier = {"module.head.weight": torch.zeros(10, 16), "module.head.bias": torch.zeros(10)}
    return {"epoch": 90, "state_dict": prefixed(state, "module.") | classifier}


MOCO = "vit_base_patch16_224.mocov3"
MOCO_FILES = {"pre-training": moco_pretraining, "linear probe": moco_linear_probe}


@pytest.mark.parametrize("kind", MOCO_FILES)
def test_both_files_of_moco_v3_give_the_digest_of_their_encoder(
    kind: str, state: State, tmp_path: Path
):
    path = saved(MOCO_FILES[kind](state), tmp_path)
    assert digest(loaded(path, MOCO)) == expected_digest(state)


@pytest.mark.parametrize("kind", MOCO_FILES)
def test_a_moco_file_that_lacks_a_tensor_is_refused_naming_it(
    kind: str, state: State, tmp_path: Path
):
    path = saved(MOCO_FILES[kind](without("norm.bias")(state)), tmp_path)
    assert "(MoCo v3); missing: 1 (norm.bias); unexpected: none" in refusal(path, MOCO)


def test_a_part_of_a_moco_file_that_is_not_known_is_refused_naming_it(state: State, tmp_path: Path):
    checkpoint = moco_pretraining(state)
    checkpoint["state_dict"]["module.queue"] = torch.zeros(2)
    assert "unexpected: 1 (module.queue)" in refusal(saved(checkpoint, tmp_path), MOCO)


def test_a_moco_file_under_a_plain_name_is_refused_with_the_right_name(
    state: State, tmp_path: Path
):
    path = saved(moco_pretraining(state), tmp_path)
    assert f"set BACKBONE={MOCO}" in refusal(path, "vit_base_patch16_224")


def test_moco_v3_without_a_file_says_which_to_fetch():
    with pytest.raises(WeightsError, match=rf"{MOCO}: timm's hub has no.*WEIGHTS=.*vit-b-300ep"):
        load_weights(tiny_trunk(), MOCO, None)


MAE = "vit_base_patch16_224.mae"


def mae_pretraining(state: State) -> dict[str, State]:
    """Return what MAE's pre-training leaves: encoder and decoder."""
    decoder = {
        "mask_token": torch.zeros(1, 1, 8),
        "decoder_embed.weight": torch.zeros(8, 16),
        "decoder_blocks.0.norm1.weight": torch.zeros(8),
        "decoder_pred.bias": torch.zeros(3),
    }
    return {"model": state | decoder}


def test_of_an_mae_file_the_decoder_is_left_out(state: State, tmp_path: Path):
    path = saved(mae_pretraining(state), tmp_path)
    assert digest(loaded(path, MAE)) == expected_digest(state)


def test_an_mae_file_under_a_plain_name_is_refused_with_the_right_name(
    state: State, tmp_path: Path
):
    message = refusal(saved(mae_pretraining(state), tmp_path), "vit_base_patch16_224")
    assert "unexpected: 4 (decoder_blocks.0.norm1.weight, " in message
    assert f"set BACKBONE={MAE}" in message


def test_a_fine_tuned_mae_file_is_refused_for_its_norm(state: State, tmp_path: Path):
    tuned = {f"fc_{k}" if k.startswith("norm.") else k: v for k, v in state.items()}
    message = refusal(saved({"model": tuned}, tmp_path), MAE)
    assert "missing: 2 (norm.bias, norm.weight)" in message
    assert "unexpected: 2 (fc_norm.bias, fc_norm.weight)" in message


AUGREG, ORIGINAL = "vit_base_patch16_224.augreg_in21k", "vit_base_patch16_224.orig_in21k"


def with_pre_logits(state: State) -> State:
    return state | {"pre_logits.fc.weight": torch.zeros(16, 16)}


def test_a_state_with_pre_logits_is_the_original_and_refused_as_augreg(
    state: State, tmp_path: Path
):
    path = saved(with_pre_logits(state), tmp_path)
    assert digest(loaded(path, ORIGINAL)) == expected_digest(state)
    message = refusal(path, AUGREG)
    assert "holds pre_logits, so it is the original IN-21k checkpoint" in message
    assert f"set BACKBONE={ORIGINAL}" in message


@pytest.mark.parametrize("name", [AUGREG, ORIGINAL])
def test_of_a_state_without_pre_logits_the_name_is_believed(
    name: str, state: State, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    assert digest(loaded(saved(state, tmp_path), name)) == expected_digest(state)
    assert caplog.messages == []


def test_positions_of_another_grid_are_resampled_as_timm_does(
    state: State, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    finer = torch.randn(1, 17, 16, generator=torch.Generator().manual_seed(1))
    path = saved(state | {"pos_embed": finer}, tmp_path)
    expected = resample_abs_pos_embed(finer, new_size=[2, 2])
    torch.testing.assert_close(loaded(path).pos_embed.data, expected, rtol=0, atol=1e-6)
    assert "embeddings of 4x4 patches resampled to the backbone's 2x2" in caplog.text


def test_a_refused_checkpoint_leaves_the_trunk_as_it_was(state: State, tmp_path: Path):
    save_file(without("cls_token")(state), tmp_path / "weights.safetensors")
    trunk = tiny_trunk()
    before = digest(trunk)
    with pytest.raises(WeightsError):
        load_weights(trunk, "tiny", tmp_path / "weights.safetensors")
    assert digest(trunk) == before


def test_code_in_a_checkpoint_is_not_executed(state: State, tmp_path: Path):
    path, trace = tmp_path / "weights.pth", tmp_path / "executed"
    torch.save({"model": state, "args": TouchesAFile(trace)}, path)
    with pytest.raises(WeightsError, match=rf"{path} .*more than tensors"):
        loaded(path)
    assert not trace.exists()


@pytest.mark.parametrize("suffix", [".safetensors", ".pth", ".pt", ".bin", ".tar", ".npz"])
@pytest.mark.parametrize("content", [b"", b"garbage" * 50], ids=["empty", "garbage"])
def test_a_damaged_file_is_named(suffix: str, content: bytes, tmp_path: Path):
    path = tmp_path / f"weights{suffix}"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=str(path)):
        loaded(path)


@pytest.mark.parametrize("suffix", [".safetensors", ".pth", ".npz"])
def test_a_missing_file_is_named(suffix: str, tmp_path: Path):
    path = tmp_path / f"absent{suffix}"
    with pytest.raises(WeightsError, match=f"{path} does not exist"):
        loaded(path)


def test_an_unknown_suffix_is_refused_with_those_that_are_taken(tmp_path: Path):
    path = tmp_path / "weights.onnx"
    path.write_bytes(b"x")
    with pytest.raises(WeightsError, match=r"expected \.safetensors.*found \.onnx"):
        loaded(path)


def test_a_checkpoint_that_is_no_dictionary_is_refused(tmp_path: Path):
    path = tmp_path / "weights.pth"
    torch.save([torch.zeros(2)], path)
    with pytest.raises(WeightsError, match="holds a list, not tensors"):
        loaded(path)


def test_without_the_hub_the_message_says_how_to_go_on(monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object, **__: object) -> None:
        raise OSError("no route to host\nand much more")

    monkeypatch.setattr(timm, "create_model", refuse)
    words = r"vit_base_patch16_224.*no route to host[\s\S]*WEIGHTS="
    with pytest.raises(WeightsError, match=words):
        load_weights(tiny_trunk(), "vit_base_patch16_224", None)
