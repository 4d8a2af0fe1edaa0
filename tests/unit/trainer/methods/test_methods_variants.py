"""VFPT, PAE, DA-VPT and biases: what training computes is what their papers say, and is served."""

import copy
import math
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from adapters.artifact.backbone_spec import Pooling
from adapters.vit.adapter import Adapter
from adapters.vit.backbone import Backbone
from serving.rows.resident import make_resident
from serving.trunk.cpu import CpuBackend
from tests.fakes.artifacts import make_adapter
from tests.fakes.beside import changed
from tests.fakes.reference import reference_feature
from tests.fakes.rows import features_of
from tests.fakes.tiny import tiny_backbone, tiny_trunk
from tests.unit.trainer.methods.method_models import C, L, P, make_model, shaken
from tests.unit.trainer.toy import toy_pixels
from trainer.errors import RecipeError
from trainer.methods.build import build
from trainer.methods.classifier import Classifier
from trainer.methods.variants.fourier import FourierClassifier
from trainer.methods.variants.guided import BiasedGuidedClassifier, GuidedClassifier, proxy_anchor
from trainer.methods.variants.koopman import EvolvingClassifier

POOLINGS = ["cls", "mean", "mean-with-prompts"]
SERVED = ["e2vpt", "vfpt-deep", "vfpt-shallow", "pae", "da-vpt", "da-vpt-plus", "attention-bias"]


def model_of(name: str, pooling: Pooling = "cls", **trunk: object) -> Classifier:
    """Return a model in float64 whose every number matters."""
    backbone = tiny_backbone(tiny_trunk(**trunk), pooling=pooling, dtype=torch.float64)
    return shaken(make_model(name, backbone), by=0.3)


def adapter_of(model: Classifier) -> Adapter:
    """Return what an artifact would hold, in float32."""
    changes = {name: one.detach().float() for name, one in model.changes().items()}
    method = "spt-deep" if "prompts" in changes else "linear"
    meta = make_adapter(method=method, backbone=model.backbone.spec).meta
    head = model.head.weight.detach().float(), model.head.bias.detach().float()
    return Adapter(changes.pop("prompts", None), *head, meta, **changes)


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("name", SERVED)
def test_the_served_feature_is_that_of_training_and_of_the_token_form(name: str, pooling: Pooling):
    model, pixels = model_of(name, pooling), toy_pixels(3)[0].double()
    adapter = adapter_of(model)
    resident = make_resident(adapter, model.backbone)
    served = features_of(CpuBackend(model.backbone), [resident] * 3, pixels)
    torch.testing.assert_close(served, model.features(pixels), rtol=0, atol=1e-5)
    trunk = changed(model.backbone.trunk, adapter)
    slow = torch.stack([reference_feature(trunk, adapter, image) for image in pixels])
    torch.testing.assert_close(served, slow, rtol=0, atol=1e-11)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.7, 1.0])
def test_a_share_of_each_blocks_prompts_is_the_real_part_of_their_transform(share: float):
    prompts = torch.randn(L, P, 16, dtype=torch.float64)
    made = FourierClassifier(tiny_backbone(), C, prompts, fourier_share=share).changes()["prompts"]
    count = math.floor(share * P)
    assert torch.equal(made[:, count:], prompts[:, count:])
    for layer, plain in zip(made, prompts, strict=True):
        for row in range(count):
            for column in range(16):
                turns = [
                    [row * p / count + column * d / 16 for d in range(16)] for p in range(count)
                ]
                waves = torch.cos(2 * math.pi * torch.tensor(turns, dtype=torch.float64))
                real = (plain[:count] * waves).sum()
                assert layer[row, column].item() == pytest.approx(real.item(), abs=1e-9)


def test_a_recipes_share_reaches_the_model():
    backbone, prompts = tiny_backbone(), torch.randn(L, P, 16)
    none, some = (build("vfpt-deep", backbone, C, prompts, fourier_share=s) for s in (0.0, 0.5))
    assert torch.equal(none.changes()["prompts"], prompts)
    assert not torch.equal(some.changes()["prompts"][:, :2], prompts[:, :2])


def test_evolution_adds_the_sum_over_pairs_of_blocks_after_the_first():
    model = model_of("pae", depth=4)
    assert isinstance(model, EvolvingClassifier)
    model.prompts = nn.Parameter(torch.randn(4, P, 16, dtype=torch.float64))
    koopman, total = model.koopman, 0.0
    energy = koopman.energy.T @ koopman.energy
    energy = energy / torch.linalg.svdvals(energy)[0]

    def height(z: Tensor) -> float:
        short = z / max(1.0, z.norm().item())
        return (short @ energy @ short).item()

    for one, following in ((1, 2), (2, 3)):
        errors, rises = [], []
        for p in range(P):
            z = koopman.project.weight @ model.prompts[one, p]
            after = koopman.project.weight @ model.prompts[following, p]
            errors.append(((z @ koopman.operator - after) ** 2).mean().item())
            rises.append(math.log1p(math.exp(height(z @ koopman.operator) - height(z))))
        rise = sum(rises) / P
        total += 0.5 * sum(errors) / P + 0.2 * 10 * math.tanh(rise / 10)
    assert model.penalty(torch.zeros(1, dtype=torch.int64)).item() == pytest.approx(total, rel=1e-6)


def test_evolution_wants_a_pair_of_blocks_after_the_first():
    with pytest.raises(RecipeError, match="2 blocks have prompts, expected three at least"):
        build("pae", tiny_backbone(), C, torch.zeros(2, P, 16))


def test_a_proxy_is_near_its_own_samples_and_far_from_others():
    samples, proxies = torch.randn(5, 8).double(), torch.randn(3, 8).double()
    labels = torch.tensor([0, 1, 1, 0, 0])
    total = 0.0
    for p, proxy in enumerate(proxies):
        near = far = 1.0
        for sample, label in zip(samples, labels.tolist(), strict=True):
            s = F.cosine_similarity(sample, proxy, dim=0).item()
            near += math.exp(-32 * (s - 0.1)) if label == p else 0.0
            far += math.exp(32 * (s + 0.1)) if label != p else 0.0
        total += (math.log(near) + math.log(far)) / 3
    own = F.one_hot(labels, 3).bool()
    assert proxy_anchor(samples, proxies, own).item() == pytest.approx(total)


def seen_by_the_last_block(model: Classifier, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean patches and class queries there, with prompts as tokens of timm's blocks."""
    trunk, prompts = model.backbone.trunk, model.prompts
    tokens = trunk._pos_embed(trunk.patch_embed(pixels))
    for block, own in zip(trunk.blocks[:-1], prompts[:-1], strict=True):
        rows = own.expand(len(pixels), -1, -1)
        tokens = torch.cat([tokens[:, :1], rows, tokens[:, 1:]], dim=1)
        tokens = block(tokens)
        tokens = torch.cat([tokens[:, :1], tokens[:, 1 + P :]], dim=1)
    last = trunk.blocks[-1]
    return tokens[:, 1:].mean(dim=1), last.attn.qkv(last.norm1(tokens[:, 0]))[:, :16]


def test_guidance_is_of_what_enters_the_last_block_and_of_its_prompts():
    model, (pixels, labels) = model_of("da-vpt"), toy_pixels(4)
    assert isinstance(model, GuidedClassifier)
    model.prompt_of = torch.tensor([2, 0, 1, 3, 1])
    model(pixels.double())
    found = model.penalty(labels)
    own = F.one_hot(model.prompt_of[labels], P).bool()
    samples = seen_by_the_last_block(model, pixels.double())
    expected = 0.05 * sum(proxy_anchor(one, model.prompts[-1], own) for one in samples)
    torch.testing.assert_close(found, expected)
    found.backward()
    assert model.prompts.grad.abs().amax(dim=(1, 2)).gt(0).all()
    assert model.penalty(labels) == 0.0, "there was no forward since"


@pytest.mark.parametrize("why", ["scored", "frozen"])
def test_nothing_is_guided_where_no_prompt_learns(why: str):
    pixels, labels = toy_pixels(4)
    frozen = why == "frozen"
    model = GuidedClassifier(tiny_backbone(), C, torch.randn(L, P, 16), frozen=frozen)
    with torch.set_grad_enabled(frozen):
        model(pixels)
    assert model.penalty(labels) == 0.0


def test_guidance_without_a_class_token_is_refused():
    trunk = tiny_trunk(class_token=False, global_pool="avg", fc_norm=False)
    with pytest.raises(RecipeError, match="da-vpt on backbone tiny: expected a class token"):
        make_model("da-vpt", tiny_backbone(trunk, pooling="mean"))


def retuned(backbone: Backbone, change: Callable[[int, nn.Module], None]) -> nn.Module:
    trunk = copy.deepcopy(backbone.trunk)
    for i, block in enumerate(trunk.blocks):
        change(i, block)
    return trunk


@pytest.mark.parametrize("pooling", POOLINGS)
def test_a_bias_of_values_is_one_of_all_values_and_that_of_keys_is_nothing(pooling: Pooling):
    model, pixels = model_of("da-vpt-plus", pooling, init_values=0.5), toy_pixels(3)[0].double()
    assert isinstance(model, BiasedGuidedClassifier)

    def change(i: int, block: nn.Module) -> None:
        block.attn.qkv.bias.data[16:32] += torch.randn(16).double()
        block.attn.qkv.bias.data[32:] += model.value_biases[i]

    trunk = retuned(model.backbone, change)
    meta = make_adapter(backbone=model.backbone.spec).meta
    row = Adapter(model.prompts, model.head.weight, model.head.bias, meta)
    slow = torch.stack([reference_feature(trunk, row, image) for image in pixels])
    torch.testing.assert_close(model.features(pixels), slow, rtol=0, atol=1e-12)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_a_bias_after_attention_is_that_of_its_projection(pooling: Pooling):
    model, pixels = model_of("attention-bias", pooling, init_values=0.5), toy_pixels(3)[0].double()

    def change(i: int, block: nn.Module) -> None:
        block.attn.proj.bias.data += model.biases[i]

    meta = make_adapter(method="linear", backbone=model.backbone.spec).meta
    row, trunk = (
        Adapter(None, model.head.weight, model.head.bias, meta),
        retuned(model.backbone, change),
    )
    slow = torch.stack([reference_feature(trunk, row, image) for image in pixels])
    torch.testing.assert_close(model.features(pixels), slow, rtol=0, atol=1e-12)
