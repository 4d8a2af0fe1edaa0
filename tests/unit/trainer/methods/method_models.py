"""Every method on the tiny trunk."""

import torch
import torch.nn.functional as F

from adapters.vit.backbone import Backbone
from tests.fakes.tiny import tiny_backbone
from tests.unit.trainer.toy import toy_pixels
from trainer.methods.build import build
from trainer.methods.classifier import Classifier
from trainer.methods.table import METHODS
from trainer.recipe import Recipe

L, P, D, C = 3, 4, 16, 5
TRUNKS = {
    "plain": {},
    "qk-norm": {"qk_norm": True},
    "layer-scale": {"init_values": 1.0},
    "registers": {"reg_tokens": 2},
    "no-qkv-bias": {"qkv_bias": False},
}


def method_recipe(method: str, **prompt: object) -> Recipe:
    """Return a recipe of this method with P prompts."""
    fields = {"task": "toy", "method": method, "prompt": {"num_tokens": P} | prompt}
    return Recipe.model_validate(fields)


def make_model(
    method: str, backbone: Backbone | None = None, *, seed: int = 0, **options: object
) -> Classifier:
    """Return the model as it is before the first step, its prompts small and random."""
    backbone = backbone or tiny_backbone()
    torch.manual_seed(seed)
    form = METHODS[method].prompts
    prompts = torch.randn(L if form == "deep" else 1, P, D) * 0.3 if form else None
    return build(method, backbone, C, prompts, **options)


def shaken(model: Classifier, by: float = 0.1) -> Classifier:
    """Move every trainable number, so that nothing is at its start."""
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.add_(noise.to(parameter), alpha=by)
    return model


def train_steps(model: Classifier, steps: int = 1, lr: float = 1e-3) -> tuple[float, float]:
    """Take steps of AdamW on one batch; return the loss before and after."""
    pixels, labels = toy_pixels(6)
    pixels = pixels.to(model.backbone.dtype)
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr)
    before = F.cross_entropy(model(pixels), labels).item()
    for _ in range(steps):
        optimizer.zero_grad()
        (F.cross_entropy(model(pixels), labels) + model.penalty(labels)).backward()
        optimizer.step()
    return before, F.cross_entropy(model(pixels), labels).item()
