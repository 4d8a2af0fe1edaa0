"""Files as Meta and OpenAI publish them fill a trunk as timm's own converter does, strictly."""

import zipfile
from pathlib import Path

import pytest
import torch
from timm.layers import SwiGLUPacked
from timm.models.vision_transformer import VisionTransformer, checkpoint_filter_fn
from torch import Tensor, nn

from adapters.errors import WeightsError
from adapters.vit.weights import digest, load_weights
from tests.fakes.tiny import tiny_trunk

State = dict[str, Tensor]

DINOV2 = {
    "plain": {"init_values": 1},
    "swiglu": {"init_values": 1, "mlp_layer": SwiGLUPacked},
    "registers": {"init_values": 1, "reg_tokens": 2, "no_embed_class": True},
}
CLIP = {"pre_norm": True}
OPENAI = {
    "patch_embed.proj.": "conv1.",
    "norm_pre.": "ln_pre.",
    "blocks.": "transformer.resblocks.",
    ".norm1.": ".ln_1.",
    ".norm2.": ".ln_2.",
    "norm.": "ln_post.",
    ".qkv.": ".in_proj_",
    ".attn.proj.": ".attn.out_proj.",
    ".mlp.fc1.": ".mlp.c_fc.",
    ".mlp.fc2.": ".mlp.c_proj.",
}


def as_meta_writes(state: State) -> State:
    """Return a trunk's tensors under Meta's names, with what only Meta's file has."""
    found = state | {"mask_token": torch.zeros(1, 16)}
    if "reg_token" in found:
        found["register_tokens"] = found.pop("reg_token")
        found["pos_embed"] = torch.cat([torch.ones(1, 1, 16), found["pos_embed"]], dim=1)
    if state["blocks.0.mlp.fc1.weight"].shape[0] != 2 * state["blocks.0.mlp.fc2.weight"].shape[1]:
        return found
    return {k.replace("mlp.fc1", "mlp.w12").replace("fc2", "w3"): v for k, v in found.items()}


def as_openai_writes(state: State) -> State:
    """Return a trunk's tensors as OpenAI's visual tower, and some of the text tower's."""
    found: State = {"logit_scale": torch.zeros(()), "visual.proj": torch.zeros(16, 8)}
    found |= {"transformer.resblocks.0.ln_1.weight": torch.ones(4)}
    for key, value in state.items():
        name = key
        for timms, theirs in OPENAI.items():
            name = name.replace(timms, theirs)
        found[f"visual.{name}"] = value
    found["visual.class_embedding"] = found.pop("visual.cls_token")[0, 0]
    found["visual.positional_embedding"] = found.pop("visual.pos_embed")[0]
    return found


def saved(state: object, folder: Path) -> Path:
    path = folder / "weights.pth"
    torch.save(state, path)
    return path


def as_we_read(path: Path, name: str = "tiny", **changes: object) -> str:
    trunk = tiny_trunk(seed=6, **changes)
    load_weights(trunk, name, path)
    return digest(trunk)


def as_timm_reads(state: State, **changes: object) -> str:
    trunk: VisionTransformer = tiny_trunk(seed=5, **changes)
    converted = checkpoint_filter_fn(dict(state), trunk)
    trunk.load_state_dict({k: v for k, v in converted.items() if not k.startswith("head.")})
    return digest(trunk)


def refusal(path: Path, **changes: object) -> str:
    with pytest.raises(WeightsError) as caught:
        as_we_read(path, **changes)
    return str(caught.value)


@pytest.mark.parametrize("variant", DINOV2)
def test_metas_dinov2_fills_every_tensor_as_timm_does(variant: str, tmp_path: Path):
    changes = DINOV2[variant]
    state = as_meta_writes(tiny_trunk(**changes).state_dict())
    assert as_we_read(saved(state, tmp_path), **changes) == as_timm_reads(state, **changes)


def test_openais_clip_fills_every_tensor_as_timm_does(tmp_path: Path):
    state = as_openai_writes(tiny_trunk(**CLIP).state_dict())
    expected = as_timm_reads(state, **CLIP)
    assert as_we_read(saved(state, tmp_path), **CLIP) == expected
    wrapped = {"state_dict": {f"module.{key}": value for key, value in state.items()}}
    assert as_we_read(saved(wrapped, tmp_path), **CLIP) == expected
    tower = {k.removeprefix("visual."): v for k, v in state.items() if k.startswith("visual.")}
    assert as_we_read(saved(tower, tmp_path), **CLIP) == expected


def test_a_tower_of_timm_in_open_clip_is_taken(tmp_path: Path):
    changes = {"class_token": False, "global_pool": "map"}
    trunk = tiny_trunk(**changes)
    state = {f"visual.trunk.{key}": value for key, value in trunk.state_dict().items()}
    state |= {"visual.head.proj.weight": torch.zeros(4, 16), "text.proj": torch.zeros(4)}
    assert as_we_read(saved(state, tmp_path), **changes) == digest(trunk)


def test_siglips_attention_pooling_is_left_out_where_the_name_says_so(tmp_path: Path):
    siglip = {"class_token": False, "global_pool": "map"}
    path = saved(tiny_trunk(**siglip).state_dict(), tmp_path)
    gap = {"class_token": False, "global_pool": "avg", "fc_norm": False}
    as_we_read(path, "vit_base_patch16_siglip_gap_224.webli", **gap)
    assert "the file has SigLIP's attention pooling" in refusal(path, **gap)


@pytest.mark.parametrize(
    ("given", "wanted", "words"),
    [
        ({"pre_norm": True}, {}, "the file has CLIP's norm before the first block"),
        ({}, {"pre_norm": True}, "the file lacks CLIP's norm before the first block"),
        ({"reg_tokens": 2}, {}, "the file has register tokens"),
        ({}, {"reg_tokens": 2}, "the file lacks register tokens"),
    ],
)
def test_a_file_of_another_kind_of_trunk_says_what_it_has_or_lacks(
    given: dict[str, object], wanted: dict[str, object], words: str, tmp_path: Path
):
    assert words in refusal(saved(tiny_trunk(**given).state_dict(), tmp_path), **wanted)


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("embeddings.cls_token", "those of Hugging Face transformers"),
        ("vision_model.encoder.layers.0.mlp.fc1.bias", "those of Hugging Face transformers"),
        ("storage_tokens", "those of Meta's own DINOv3"),
    ],
)
def test_a_layout_that_is_not_read_is_named(key: str, words: str, tmp_path: Path):
    assert words in refusal(saved({key: torch.zeros(1)}, tmp_path))


class Node(nn.Module):
    """A module of TorchScript with such parameters, and children."""

    def __init__(self, state: State) -> None:
        super().__init__()
        children: dict[str, State] = {}
        for key, value in state.items():
            first, _, rest = key.partition(".")
            if rest:
                children.setdefault(first, {})[rest] = value
            else:
                self.register_parameter(first, nn.Parameter(value, requires_grad=False))
        for name, own in children.items():
            self.add_module(name, Node(own))

    def forward(self, x: Tensor) -> Tensor:
        return x


@pytest.mark.filterwarnings("ignore:.torch.jit:FutureWarning")
def test_openais_own_file_is_read_and_its_program_is_not_run(tmp_path: Path):
    trunk = tiny_trunk(**CLIP)
    state = {key: value.half() for key, value in as_openai_writes(trunk.state_dict()).items()}
    path = tmp_path / "ViT-B-32.pt"
    torch.jit.save(torch.jit.script(Node(state)), path)
    expected = {key: value.half() for key, value in trunk.state_dict().items()}
    trunk.load_state_dict(expected)
    assert as_we_read(path, **CLIP) == digest(trunk)


def test_a_torchscript_archive_calls_nothing(tmp_path: Path):
    path, touched = tmp_path / "weights.pt", tmp_path / "touched"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("weights/constants.pkl", b"")
        archive.writestr("weights/data.pkl", f"cos\nsystem\n(Vtouch {touched}\ntR.".encode())
    assert "is damaged or holds more than tensors" in refusal(path)
    assert not touched.exists()
