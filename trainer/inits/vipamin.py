"""VIPAMIN (Park and Chung 2025): prompts of what they would look at, and of what no token says.

"Visual prompt initialization via embedding selection and subspace expansion". VPT's random prompts
are taken two ways, and the results mixed, `(1 - λ)·matched + λ·orthogonal`:

- matched: the mean of the k patch tokens, each the mean over images, whose keys have the largest
  cosine with the prompt's key;
- orthogonal: what the block's values make of the prompt, less its part in the span of what its
  attention makes of the images, is taken back through the pseudo-inverse of the values' matrix.

The authors' code compares keys after a mean over heads, and multiplies by the pseudo-inverse
untransposed; the paper has neither, and so has this. Blocks after the first see the bare trunk's
tokens.

Axis letters: N patches, T tokens, P prompts, D width, A width of all heads together.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from adapters.vit.backbone import Backbone
from adapters.vit.blocks.attention import attended, prompt_keys_values, run_block
from adapters.vit.blocks.known import kind_of
from adapters.vit.prompting import embed
from trainer.errors import RecipeError


class _Seen(NamedTuple):
    """Means over images of what enters a block and of what its attention makes of it."""

    patches: Float[Tensor, "N D"]
    keys: Float[Tensor, "N A"]
    attended: Float[Tensor, "T A"]


@torch.no_grad()
def vipamin_prompts(
    backbone: Backbone,
    batches: Iterable[Float[Tensor, "_ 3 H W"]],
    layers: Sequence[int],
    starts: Float[Tensor, "M P D"],
    *,
    match_tokens: int,
    orthogonal_share: float,
) -> Float[Tensor, "M P D"]:
    """Return the prompts of some layers.

    Args:
        backbone: frozen.
        batches: normalised images.
        layers: the blocks that the prompts enter, in order.
        starts: random prompts of each.
        match_tokens: k, at most N.
        orthogonal_share: λ, 0 to 1.

    Raises:
        RecipeError: attention leaves no direction that is orthogonal to what it makes.
    """
    seen = _see(backbone, batches, layers)
    prompts = []
    for layer, start in zip(layers, starts.to(backbone.device, backbone.dtype), strict=True):
        block = backbone.trunk.blocks[layer]
        made = matched(block, seen[layer].patches, seen[layer].keys, start, match_tokens)
        if orthogonal_share:
            new = orthogonal(block, seen[layer].attended, start)
            made = (1 - orthogonal_share) * made + orthogonal_share * new
        prompts.append(made)
    return torch.stack(prompts)


def matched(
    block: Any,
    patches: Float[Tensor, "N D"],
    keys: Float[Tensor, "N A"],
    prompts: Float[Tensor, "P D"],
    count: int,
) -> Float[Tensor, "P D"]:
    """Return the mean of the tokens whose keys are the nearest to each prompt's."""
    own = prompt_keys_values(block, prompts[None])[0, :, 0].flatten(1)
    cosine = F.normalize(own, dim=-1) @ F.normalize(keys, dim=-1).T
    return patches[cosine.topk(min(count, len(keys)), dim=1).indices].mean(dim=1)


def orthogonal(
    block: Any, made: Float[Tensor, "T A"], prompts: Float[Tensor, "P D"]
) -> Float[Tensor, "P D"]:
    """Return prompts whose values are orthogonal to all that attention makes of the images."""
    if made.shape[0] >= made.shape[1]:
        raise RecipeError(
            f"prompt.init=vipamin: {made.shape[0]} tokens of an image span all {made.shape[1]} "
            "directions, so none is orthogonal; set prompt.orthogonal_share=0"
        )
    weight, bias = kind_of(block).values(block)
    matrix = weight.flatten(0, 1)
    shift = matrix.new_zeros(len(matrix)) if bias is None else bias.flatten()
    basis = torch.linalg.qr(made.T).Q
    values = prompts @ matrix.T + shift
    free = values - values @ basis @ basis.T
    return (free - shift) @ torch.linalg.pinv(matrix).T


def _see(
    backbone: Backbone, batches: Iterable[Float[Tensor, "_ 3 H W"]], layers: Sequence[int]
) -> dict[int, _Seen]:
    trunk, special = backbone.trunk, backbone.trunk.num_prefix_tokens
    sums: dict[int, _Seen] = {}
    images = 0
    for batch in batches:
        tokens = embed(trunk, batch.to(backbone.device))
        images += len(batch)
        for layer, block in enumerate(trunk.blocks[: layers[-1] + 1]):
            if layer in layers:
                patches = tokens[:, special:]
                joined = kind_of(block).keys_values(block, block.norm1(tokens), placed=True)
                keys = joined[:, special:, 0].flatten(2)
                found = _Seen(*(f.sum(dim=0) for f in (patches, keys, attended(block, tokens))))
                before = sums.get(layer, map(torch.zeros_like, found))
                sums[layer] = _Seen(*map(torch.add, before, found))
            tokens = run_block(block, tokens)
    return {layer: _Seen(*(one / images for one in total)) for layer, total in sums.items()}
