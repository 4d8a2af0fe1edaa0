"""How far a graph is from torch, on fresh random inputs of many shapes."""

from collections.abc import Callable

import torch
from torch import Tensor

from adapters.vit.backbone import Backbone
from adapters.vit.blocks.attention import heads_of
from adapters.vit.prompting import DeepPrompts, features

POISON = 1e3

Compute = Callable[[dict[str, Tensor]], Tensor]
"""Features `[B, D]` on the CPU of the graph's inputs by name."""


def errors_against_torch(backbone: Backbone, compute: Compute) -> dict[str, float]:
    """Return the largest difference relative to the largest feature, per batch size and prompts.

    Every batch has a row whose last prompt is masked, and filled with large numbers that must
    not matter.

    Args:
        backbone: that the graph is of.
        compute: runs the graph.
    """
    errors = {}
    for rows, prompts in ((1, 1), (2, 20), (5, 7), (3, 64)):
        inputs = random_inputs(backbone, rows, prompts)
        with torch.inference_mode():
            expected = features(
                backbone.trunk,
                backbone.spec,
                inputs["pixels"],
                DeepPrompts(inputs["prefix"], inputs["mask"], inputs.get("last")),
            )
        difference = (compute(inputs) - expected).abs().max() / expected.abs().max()
        errors[f"{rows} rows of {prompts} prompts"] = float(difference)
    return errors


def random_inputs(backbone: Backbone, rows: int, prompts: int) -> dict[str, Tensor]:
    """Return random inputs of the graph, some prompts masked, and some of those poisoned.

    Those are the first row's last one, and all of the last row's first block.
    """
    spec, heads = backbone.spec, heads_of(backbone.trunk.blocks[0])
    prefix = torch.randn(rows, spec.depth, prompts, 2, *heads)
    prefix[0, :, -1] = POISON
    mask = torch.zeros(rows, spec.depth, prompts)
    mask[0, :, -1] = mask[-1, 0] = -torch.inf
    pixels = torch.randn(rows, 3, spec.image_size, spec.image_size)
    inputs = {"pixels": pixels, "prefix": prefix, "mask": mask}
    if spec.pooling == "mean-with-prompts":
        inputs["last"] = torch.randn(rows, prompts, spec.width)
    return inputs
