"""Every method computes what its paper writes down, against the slow and obvious form of it.

The references take timm's blocks and token sequences of the order class token, prompts, patches;
they share nothing with `trainer.methods` but the trained numbers.
"""

import copy
import math
from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from adapters.artifact.backbone_spec import Pooling
from adapters.vit.backbone import Backbone
from tests.fakes.tiny import tiny_backbone, tiny_trunk
from tests.unit.trainer.methods.method_models import TRUNKS, make_model, shaken
from tests.unit.trainer.toy import toy_pixels
from trainer.methods.classifier import Classifier
from trainer.methods.gated import GatedClassifier

POOLINGS = ["cls", "mean", "mean-with-prompts"]
Step = Callable[[int, nn.Module, Tensor], Tensor]


def make_pair(
    name: str, trunk: str, pooling: Pooling, **options: object
) -> tuple[Classifier, Tensor]:
    """Return a model in float64 whose every number matters, and pixels."""
    backbone = tiny_backbone(tiny_trunk(**TRUNKS[trunk]), pooling=pooling, dtype=torch.float64)
    return shaken(make_model(name, backbone, **options), by=0.3), toy_pixels(3)[0].double()


def run_trunk(
    backbone: Backbone, pixels: Tensor, step: Step, prompts: Tensor | None = None
) -> Tensor:
    """Return the features of a loop over blocks, prompts (if any) behind the special tokens."""
    trunk, spec = backbone.trunk, backbone.spec
    tokens = trunk._pos_embed(trunk.patch_embed(pixels))
    special, count = trunk.num_prefix_tokens, 0
    if prompts is not None:
        rows, count = prompts.expand(len(pixels), -1, -1), prompts.shape[-2]
        tokens = torch.cat([tokens[:, :special], rows, tokens[:, special:]], dim=1)
    for i, block in enumerate(trunk.blocks):
        tokens = step(i, block, tokens)
    if spec.final_norm == "before-pooling":
        tokens = trunk.norm(tokens)
    pooled = {
        "cls": tokens[:, 0],
        "mean": tokens[:, special + count :].mean(dim=1),
        "mean-with-prompts": tokens[:, special:].mean(dim=1),
    }[spec.pooling]
    return trunk.norm(pooled) if spec.final_norm == "after-pooling" else pooled


def attend(
    block: nn.Module, tokens: Tensor, *, temperature: float = 1.0, extra: Tensor | None = None
) -> Tensor:
    """Return the attention branch, head by head; `extra` [K, h, d] are keys and values."""
    attn, normed, heads = block.attn, block.norm1(tokens), []
    queries, keys, values = attn.qkv(normed).chunk(3, dim=-1)
    for h in range(attn.num_heads):
        part = slice(h * attn.head_dim, (h + 1) * attn.head_dim)
        q, k, v = attn.q_norm(queries[..., part]), attn.k_norm(keys[..., part]), values[..., part]
        if extra is not None:
            more = extra[:, h].expand(len(tokens), -1, -1)
            k, v = torch.cat([more, k], dim=1), torch.cat([more, v], dim=1)
        scores = q @ k.mT / math.sqrt(attn.head_dim) / temperature
        heads.append(scores.softmax(dim=-1) @ v)
    return block.ls1(attn.proj(torch.cat(heads, dim=-1)))


def think(block: nn.Module, tokens: Tensor) -> Tensor:
    """Return the MLP branch."""
    return block.ls2(block.mlp(block.norm2(tokens)))


def assert_same(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-11)


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("trunk", TRUNKS)
def test_lora_equals_its_merged_form(trunk: str, pooling: Pooling):
    model, pixels = make_pair("lora", trunk, pooling)
    backbone = copy.deepcopy(model.backbone)
    state = model.state_dict()
    for block, down, up in zip(
        backbone.trunk.blocks, state["updates.down"], state["updates.up"], strict=True
    ):
        block.attn.qkv.weight += torch.einsum("er,rd->ed", up, down)
    expected = run_trunk(backbone, pixels, lambda i, block, tokens: block(tokens))
    assert_same(model.features(pixels), expected)


def test_lora_reads_all_three_by_one_matrix_that_starts_uniform():
    state = make_model("lora").state_dict()
    down, up = state["updates.down"], state["updates.up"]
    assert (down.shape, up.shape) == ((3, 8, 16), (3, 48, 8))
    assert not up.any()
    assert 0.24 < down.abs().max() <= 16**-0.5
    assert abs(down.std().item() - 16**-0.5 / math.sqrt(3)) < 0.02


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("trunk", TRUNKS)
def test_ssf_equals_its_unmerged_form(trunk: str, pooling: Pooling):
    model, pixels = make_pair("ssf", trunk, pooling)
    backbone = copy.deepcopy(model.backbone)
    hooked = 0
    for name, layer in backbone.trunk.named_modules():
        if isinstance(layer, nn.Linear | nn.LayerNorm | nn.Conv2d):
            key, hooked = name.replace(".", "_"), hooked + 1
            scale, shift = model.scales[key], model.shifts[key]
            if isinstance(layer, nn.Conv2d):
                scale, shift = scale[:, None, None], shift[:, None, None]
            layer.register_forward_hook(lambda _, __, out, s=scale, t=shift: s * out + t)
    assert hooked == len(model.scales) == len(model.shifts)
    expected = run_trunk(backbone, pixels, lambda i, block, tokens: block(tokens))
    assert_same(model.features(pixels), expected)


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("trunk", TRUNKS)
def test_adapters_act_on_what_the_mlp_adds(trunk: str, pooling: Pooling):
    model, pixels = make_pair("adapter", trunk, pooling)
    state = model.state_dict()

    def step(i: int, block: nn.Module, tokens: Tensor) -> Tensor:
        tokens = tokens + attend(block, tokens)
        added, key = think(block, tokens), f"adapters.{i}"
        narrow = added @ state[f"{key}.0.weight"].T + state[f"{key}.0.bias"]
        narrow = narrow * 0.5 * (1 + torch.erf(narrow / math.sqrt(2)))
        wide = narrow @ state[f"{key}.2.weight"].T + state[f"{key}.2.bias"]
        return tokens + added + wide

    assert_same(model.features(pixels), run_trunk(model.backbone, pixels, step))


@pytest.mark.parametrize("num_flows", [0, 1, 3])
@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("trunk", TRUNKS)
def test_shortcuts_carry_an_affine_map_and_planar_flows(
    trunk: str, pooling: Pooling, num_flows: int
):
    model, pixels = make_pair("snf", trunk, pooling, num_flows=num_flows)
    state = model.state_dict()

    def bend(place: int, tokens: Tensor) -> Tensor:
        def of(name: str) -> Tensor:
            return state[f"flows.{place}.{name}"]

        tokens = of("shift") + torch.exp(of("log_scale")) * tokens
        for k in range(num_flows):
            seen = (tokens * of(f"look.{k}")).sum(dim=-1, keepdim=True) + of(f"bias.{k}")
            tokens = tokens + of(f"push.{k}") * torch.tanh(seen)
        return tokens

    def step(i: int, block: nn.Module, tokens: Tensor) -> Tensor:
        tokens = bend(2 * i, tokens) + attend(block, tokens)
        return bend(2 * i + 1, tokens) + think(block, tokens)

    assert_same(model.features(pixels), run_trunk(model.backbone, pixels, step))


def test_all_numbers_of_a_flow_start_within_a_hundredth_and_none_at_zero():
    flows = make_model("snf").state_dict()
    start = torch.cat([one.flatten() for name, one in flows.items() if name.startswith("flows.")])
    assert 0.009 < start.abs().max() <= 0.01
    assert start.abs().min() > 0
    assert abs(start.std().item() - 0.01 / math.sqrt(3)) < 5e-4


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("trunk", TRUNKS)
def test_gates_mix_what_enters_and_leaves_a_block(trunk: str, pooling: Pooling):
    model, pixels = make_pair("gate-vpt", trunk, pooling)
    assert isinstance(model, GatedClassifier)
    special, count = model.backbone.trunk.num_prefix_tokens, model.prompts.shape[1]

    def step(i: int, block: nn.Module, tokens: Tensor) -> Tensor:
        entering = tokens[:, special : special + count]
        tokens = tokens + attend(block, tokens, temperature=model.temperatures[i].item())
        tokens = tokens + think(block, tokens)
        if i == 2:
            return tokens
        gate, leaving = (
            1 / (1 + math.exp(-model.gates[i].item())),
            tokens[:, special : special + count],
        )
        mixed = gate * leaving + (1 - gate) * entering
        return torch.cat([tokens[:, :special], mixed, tokens[:, special + count :]], dim=1)

    assert_same(model.features(pixels), run_trunk(model.backbone, pixels, step, model.prompts))


def test_a_temperature_out_of_bounds_is_used_at_the_bound_and_can_return():
    model, pixels = make_pair("gate-vpt", "plain", "cls")
    with torch.no_grad():
        model.temperatures.fill_(0.01)
        at_bound = model(pixels)
        model.temperatures.fill_(-3.0)
    assert_same(model(pixels), at_bound)
    model(pixels).square().sum().backward()
    assert (model.temperatures.grad != 0).all()


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("trunk", TRUNKS)
def test_keys_and_values_stand_beside_the_prompts_own(trunk: str, pooling: Pooling):
    model, pixels = make_pair("e2vpt", trunk, pooling)
    special, count = model.backbone.trunk.num_prefix_tokens, model.prompts.shape[1]

    def step(i: int, block: nn.Module, tokens: Tensor) -> Tensor:
        prompts = model.prompts[i].expand(len(tokens), -1, -1)
        parts = [tokens[:, :special], prompts, tokens[:, special + count :]]
        tokens = torch.cat(parts, dim=1)
        tokens = tokens + attend(block, tokens, extra=model.keys_values[i])
        return tokens + think(block, tokens)

    expected = run_trunk(model.backbone, pixels, step, model.prompts[:1])
    assert_same(model.features(pixels), expected)


def joint_of(one: Tensor, other: Tensor, uncentred: bool) -> Tensor:
    """Return moments of two heads' channels, `[m, m]`, of one image."""
    if not uncentred:
        return torch.cov(torch.cat([one, other], dim=1).T, correction=0)[:128, 128:]
    pairs = zip(one - one.mean(), other - other.mean(), strict=True)
    return sum(torch.outer(a, b) for a, b in pairs) / len(one)


@pytest.mark.parametrize("uncentred", [False, True])
@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("trunk", TRUNKS)
def test_moments_are_of_neighbouring_heads(trunk: str, pooling: Pooling, uncentred: bool):
    model, pixels = make_pair("moment-probing", trunk, pooling, uncentred=uncentred)
    trunk_, moments = model.backbone.trunk, model.moments
    tokens = trunk_.forward_features(pixels)[:, trunk_.num_prefix_tokens :]
    logits = []
    for patches in tokens:
        heads = [moments.norm(part) for part in moments.project(patches).chunk(4, dim=-1)]
        maps = []
        for one, other in pairwise(heads):
            joint = joint_of(one, other, uncentred)
            maps.append(joint / joint.norm(dim=0))
        shrunk = moments.shrink(torch.stack(maps)[None])
        assert shrunk.shape == (1, 3, 31, 31)
        logits.append(moments.classify(shrunk.flatten()))
    first = run_trunk(model.backbone, pixels, lambda i, block, tokens: block(tokens))
    assert_same(model.features(pixels), first)
    assert_same(model(pixels), (model.head(first) + torch.stack(logits)) / 2)


def test_before_training_uncentred_moments_are_about_zero():
    model, pixels = make_model("moment-probing", uncentred=True), toy_pixels(3)[0]
    moments = model.moments
    patches = model.backbone.trunk.forward_features(pixels)[:, 1:]
    heads = moments.norm(moments.project(patches).unflatten(-1, (4, -1)))
    about_zero = torch.einsum("bni,bnj->bij", heads[:, :, 0], heads[:, :, 1])
    about_zero = about_zero / about_zero.norm(dim=1, keepdim=True)
    torch.testing.assert_close(moments.covariances(patches)[:, 0], about_zero, rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", ["full", "bias"])
def test_retuned_weights_take_the_place_of_the_trunks(name: str):
    model, pixels = make_pair(name, "layer-scale", "mean")
    backbone = copy.deepcopy(model.backbone)
    learned = {key.partition(".")[2]: value for key, value in model.state_dict().items()}
    changed = 0
    for key, parameter in backbone.trunk.named_parameters():
        if key.replace(".", "_") in learned:
            parameter.data, changed = learned[key.replace(".", "_")], changed + 1
    assert changed == len(model.state_dict()) - 2
    expected = run_trunk(backbone, pixels, lambda i, block, tokens: block(tokens))
    assert_same(model.features(pixels), expected)
