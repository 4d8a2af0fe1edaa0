"""How a batch is computed: on which device, in which precision, with how much memory."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from adapters.vit.blocks.attention import mark_recomputed
from trainer.errors import TrainingError
from trainer.methods.classifier import Classifier
from trainer.recipe import Recipe
from trainer.training.evaluate import Forward


def forward_of(module: nn.Module, recipe: Recipe, device: torch.device) -> Forward:
    """Return the function from a batch on the CPU to float32 logits.

    Args:
        module: the model, or its head where features are cached.
        recipe: its compute part decides.
        device: of the module's parameters.
    """
    is_half = recipe.compute.precision == "bfloat16"
    computed = torch.compile(module) if recipe.compute.compile else module

    def forward(inputs: Tensor) -> Tensor:
        with torch.autocast(device.type, torch.bfloat16, enabled=is_half):
            return computed(inputs.to(device, non_blocking=True)).float()

    return forward


@contextmanager
def recomputed(model: Classifier, recipe: Recipe) -> Iterator[None]:
    """Keep only what enters each block while in this block, if the recipe asks for it.

    The rest is computed again for the gradients, which are the same.
    """
    blocks = model.backbone.trunk.blocks if recipe.compute.checkpoint else ()
    mark_recomputed(blocks, is_on=True)
    try:
        yield
    finally:
        mark_recomputed(blocks, is_on=False)


@contextmanager
def out_of_memory_explained(recipe: Recipe) -> Iterator[None]:
    """Say what to lower when the device has no memory left.

    Raises:
        TrainingError: naming batch size, precision and prompts as they are now.
    """
    try:
        yield
    except RuntimeError as error:
        is_cpu = "DefaultCPUAllocator" in str(error)
        if not is_cpu and not isinstance(error, torch.OutOfMemoryError):
            raise
        precision = recipe.compute.precision
        halved = " or set compute.precision=bfloat16" if precision == "float32" else ""
        raise TrainingError(
            f"{recipe.task}, {recipe.method} on {recipe.backbone}: out of memory "
            f"({str(error).splitlines()[0][:160]}); lower optim.batch_size (now "
            f"{recipe.optim.batch_size}){halved}, raise compute.accumulate (now "
            f"{recipe.compute.accumulate}), or choose a smaller backbone"
        ) from error
