"""One set of weights has one digest, whatever file it comes from; anything else is refused."""

from collections.abc import Callable
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor

from adapters.errors import WeightsError
from adapters.weights import digest, load_weights
from tests.tiny import tiny_trunk

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


def loaded(path: Path) -> VisionTransformer:
    trunk = tiny_trunk(seed=2)
    load_weights(trunk, "tiny", path)
    return trunk


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
    "MoCo v3": lambda state: {
        "state_dict": prefixed(state, "module.base_encoder.")
        | {"module.base_encoder.head.0.weight": torch.zeros(3, 3)}
        | {"module.predictor.0.weight": torch.zeros(3, 3)}
        | prefixed({k: v + 1 for k, v in state.items()}, "module.momentum_encoder.")
    },
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
        (without("blocks.1.norm1.weight"), r"missing: \['blocks\.1\.norm1\.weight'\]"),
        (lambda s: s | {"rope.freqs": torch.zeros(2)}, r"unexpected: \['rope\.freqs'\]"),
        (
            lambda s: s | {"pos_embed": torch.zeros(1, 10, 16)},
            r"pos_embed is \(1, 10, 16\), expected \(1, 5, 16\)",
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
