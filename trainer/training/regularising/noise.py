"""What is left out of a training step at random: branches of blocks, and numbers.

The numbers are those of prompts, or those that LoRA projects down. Nothing is left out while a
model is scored. Axis letters: B batch, R rows, D width.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from jaxtyping import Float
from timm.layers import drop_path
from torch import Tensor, nn

from trainer.methods.classifier import Classifier
from trainer.methods.lora import LoraClassifier
from trainer.methods.prompted import PromptedClassifier
from trainer.recipe import Recipe

_Rows = Float[Tensor, "B R D"]


def is_noisy(recipe: Recipe) -> bool:
    """Return whether two steps see other features of the same image."""
    rates = recipe.optim.drop_path, recipe.prompt.dropout, recipe.tuning.dropout
    return any(rate > 0 for rate in rates)


@contextmanager
def noise(model: Classifier, recipe: Recipe) -> Iterator[None]:
    """Leave out what the recipe says while in this block: only training may be in it.

    Draws are torch's, so that the seed of an epoch decides them. A compiled model has one graph for
    training and another for scoring, which has no gradients.
    """
    with _dropped_paths(list(model.backbone.trunk.blocks), recipe.optim.drop_path):
        if isinstance(model, PromptedClassifier):
            model.dropout = recipe.prompt.dropout
        elif isinstance(model, LoraClassifier):
            model.is_in_step = True
        try:
            yield
        finally:
            if isinstance(model, PromptedClassifier):
                model.dropout = 0.0
            elif isinstance(model, LoraClassifier):
                model.is_in_step = False


@contextmanager
def _dropped_paths(blocks: Sequence[nn.Module], rate: float) -> Iterator[None]:
    """Leave out what attention or MLP add to an image's tokens (Huang et al. 2016), as timm does.

    The rate grows with depth, from 0 to `rate`. Gains after a branch are numbers of a channel, so
    leaving out before them is the same.
    """
    rates = torch.linspace(0, rate, len(blocks)).tolist()
    handles = [
        branch.register_forward_hook(_leaving_out(share))
        for block, share in zip(blocks, rates, strict=True)
        if share
        for branch in (block.get_submodule("attn.proj"), block.get_submodule("mlp"))
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _leaving_out(rate: float) -> Callable[[nn.Module, object, _Rows], _Rows]:
    def hook(_: nn.Module, inputs: object, added: _Rows) -> _Rows:
        return drop_path(added, rate, training=True)

    return hook
