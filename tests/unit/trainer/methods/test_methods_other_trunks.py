"""On trunks that are no plain ViT a method trains all that it has, or is refused by name."""

import pytest
import torch
import torch.nn.functional as F

from tests.fakes.other_trunks import other_trunk
from tests.fakes.tiny import tiny_backbone
from trainer.errors import RecipeError
from trainer.methods.build import build
from trainer.methods.classifier import Classifier
from trainer.methods.table import METHODS

DINOV3, MIXED, EVA02 = (
    "vit_small_patch16_dinov3_qkvb",
    "vit_small_patch16_rope_mixed_224",
    "eva02_base_patch14_224",
)
BEIT = "beit_base_patch16_224"
REFUSED = ("adapter", "attention-bias", "da-vpt-plus", "gate-vpt", "lora", "snf", "ssf")
TOO_SHALLOW = ("pae",)


def made(method: str, name: str) -> Classifier:
    torch.manual_seed(0)
    form = METHODS[method].prompts
    prompts = torch.randn(2 if form == "deep" else 1, 4, 32) * 0.3 if form else None
    return build(method, tiny_backbone(other_trunk(name)), 3, prompts)


@pytest.mark.parametrize("method", sorted(METHODS.keys() - {*REFUSED, *TOO_SHALLOW}))
@pytest.mark.parametrize("name", [DINOV3, EVA02, BEIT])
def test_every_parameter_gets_a_gradient_within_two_steps(name: str, method: str):
    model = made(method, name)
    size = model.backbone.spec.image_size
    pixels, labels = torch.randn(4, 3, size, size), torch.tensor([0, 1, 2, 0])
    optimizer, reached = torch.optim.AdamW(model.parameters(), lr=1e-3), set()
    for _ in range(2):
        optimizer.zero_grad()
        F.cross_entropy(model(pixels), labels).backward()
        reached |= {key for key, p in model.named_parameters() if p.grad.abs().amax() > 0}
        optimizer.step()
    assert reached == {key for key, _ in model.named_parameters()}


@pytest.mark.parametrize("method", REFUSED)
@pytest.mark.parametrize(("name", "kind"), [(DINOV3, "EvaBlock"), (BEIT, "Block")])
def test_a_method_that_knows_plain_blocks_alone_is_refused(method: str, name: str, kind: str):
    message = f"method {method} on backbone tiny: its blocks are of type {kind}, expected those"
    with pytest.raises(RecipeError, match=message):
        made(method, name)


def test_full_fine_tuning_is_refused_where_rotations_are_learned():
    with pytest.raises(RecipeError, match=r"method full .* its rotary positions are learned"):
        made("full", MIXED)


def test_biases_of_queries_and_values_are_biases():
    names = dict(made("bias", DINOV3).named_parameters())
    assert {"biases.blocks_0_attn_q_bias", "biases.blocks_1_attn_v_bias"} <= names.keys()
