"""Linear centred kernel alignment (Kornblith et al. 2019), and the paper's use of it (Fig. S4).

The figure compares the prompts of every layer with the patch tokens of every layer, which the
paper does in one sentence and no formula. CKA needs two descriptions of the same examples, but
prompts and patch tokens differ in number and cannot be paired. What they have in common is the
width: so the D channels are the examples, described once by the prompts, once by the patch
tokens. Centring over examples then takes the mean over channels from each token, as a LayerNorm
does, and the value is

    CKA(P, E) = ‖P Eᵀ‖² / (‖P Pᵀ‖ ‖E Eᵀ‖)    (Frobenius norms, rows centred)

the squared dot products of all pairs, normalised: 1 where both sides fill the channels alike. It
has no parameters and takes any number of tokens. It is the plain (biased) value: the channels are
all there are, not a sample that an unbiased estimate would correct for.

Axis letters: B batch, N patches, P prompts, L layers, D width, n examples.
"""

from collections.abc import Iterable

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from adapters.vit.backbone import Backbone
from trainer.errors import DataError
from trainer.measures.prompted_inputs import prompted_inputs


def linear_cka(first: Float[Tensor, "n a"], second: Float[Tensor, "n b"]) -> float:
    """Return the linear CKA of two descriptions of the same n examples, in [0, 1].

    `‖XᵀY‖² / (‖XᵀX‖ ‖YᵀY‖)` with centred columns (Kornblith et al., section 3). Invariant to
    rotation and to scale of either side; 0 where one side does not vary.
    """
    return float(_alignment(gram(first.T), gram(second.T)))


def cka_of_layers(
    backbone: Backbone,
    prompts: Float[Tensor, "M P D"],
    images: Iterable[Float[Tensor, "_ 3 H W"]],
) -> Float64[Tensor, "K K"]:
    """Return the CKA of every layer's prompts (rows) with every layer's patch tokens (columns).

    Both are what really enters the blocks, over all images at once; one `[D, D]` matrix per
    layer and side is all that is kept, however many images there are.

    Args:
        backbone: frozen, of depth K.
        prompts: deep `[M, P, D]`, of the last M blocks, or shallow `[1, P, D]`; a block without
            has a CKA of 0.
        images: batches of normalised pixels.

    Raises:
        DataError: the prompts do not fit the backbone, or there are no images.
    """
    depth, width = backbone.spec.depth, backbone.spec.width
    of_prompts = torch.zeros(depth, width, width, dtype=torch.float64)
    of_patches = torch.zeros_like(of_prompts)
    count = 0
    for pixels in images:
        count += len(pixels)
        for i, entering in enumerate(prompted_inputs(backbone, prompts, pixels)):
            of_prompts[i] += gram(entering.prompts.flatten(0, 1)).cpu()
            of_patches[i] += gram(entering.patches.flatten(0, 1)).cpu()
    if count == 0:
        raise DataError("images for the CKA: expected at least one, found none")
    rows = [torch.stack([_alignment(mine, other) for other in of_patches]) for mine in of_prompts]
    return torch.stack(rows)


def gram(tokens: Float[Tensor, "T D"]) -> Float64[Tensor, "D D"]:
    """Return the Gram matrix of the channels over some tokens, each token centred.

    Those of several batches add up to that of all their tokens.
    """
    wide = tokens.double()
    centred = wide - wide.mean(dim=1, keepdim=True)
    return centred.T @ centred


def _alignment(
    first: Float64[Tensor, "D D"], second: Float64[Tensor, "D D"]
) -> Float64[Tensor, ""]:
    scale = first.norm() * second.norm()
    if scale == 0:
        return torch.zeros_like(scale)
    return ((first * second).sum() / scale).clamp(0, 1)
