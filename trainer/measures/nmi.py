"""Normalised mutual information between prompts and patch tokens (paper 3.2, eq. 7 and 8).

Eq. 7 is followed to the letter under the reading `dots`: plain dot products through a sigmoid,
neither scaled nor normalised. The text around it speaks of cross-attention, which is more than
that, so two further readings can be asked for by name. What else the paper leaves open is decided
here: the distribution is made of the patch tokens of one image (j runs to N_e, an image's number
of patches), and a layer's value is the mean over images. Logarithms are natural; the value does
not depend on their base.

How to read it: `dots` and `scaled` depend on the norm of the prompts, so that noise as long as a
token can have more of it than real tokens have; and where all dot products are far above zero the
sigmoid saturates and little is left. `attention` sees the prompts through the block's LayerNorm,
so it depends on their direction alone.

Axis letters: B batch, h heads, N patches, P prompts, L layers, D width.
"""

from collections.abc import Iterable
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float, Float64
from torch import Tensor

from adapters.vit.backbone import Backbone
from trainer.errors import DataError
from trainer.measures.attention import attention_scores
from trainer.measures.prompted_inputs import BlockInput, prompted_inputs

Reading = Literal["dots", "scaled", "attention"]
"""What goes through the sigmoid of eq. 7: p · e, as printed; p · e / √D; or q(p) · k(e) / √d, the
block's own queries of prompts and keys of patch tokens, the mean over its heads."""


def nmi(prompts: Float[Tensor, "P D"], tokens: Float[Tensor, "N D"]) -> float:
    """Return the NMI of a layer's prompts and one image's patch tokens as printed, in [0, 1].

    Raises:
        DataError: a number is not finite.
    """
    return float(nmi_of_joint(joint_distribution(prompts.double() @ tokens.double().T)))


def nmi_of_layers(
    backbone: Backbone,
    prompts: Float[Tensor, "M P D"],
    images: Iterable[Float[Tensor, "_ 3 H W"]],
    reading: Reading = "dots",
) -> list[float]:
    """Return the NMI of every block's inputs, each the mean over images, in [0, 1].

    Both sides are what really enters the block: patch tokens that have seen the prompts of the
    blocks before, and, for shallow prompts, the prompts that have travelled with them.

    Args:
        backbone: frozen.
        prompts: deep `[M, P, D]`, of the last M blocks, or shallow `[1, P, D]`; the result has the
            backbone's depth, and 0 for blocks without prompts.
        images: batches of normalised pixels.
        reading: of eq. 7.

    Raises:
        DataError: the prompts do not fit the backbone, there are no images, or a number is not
            finite.
    """
    sums, count = torch.zeros(backbone.spec.depth, dtype=torch.float64), 0
    for pixels in images:
        count += len(pixels)
        for i, entering in enumerate(prompted_inputs(backbone, prompts, pixels)):
            joint = joint_distribution(_scores(entering, reading))
            sums[i] += nmi_of_joint(joint).mean(dim=1).sum().cpu()
    if count == 0:
        raise DataError("images for the NMI: expected at least one, found none")
    return (sums / count).tolist()


def joint_distribution(scores: Float64[Tensor, "*B P N"]) -> Float64[Tensor, "*B P N"]:
    """Return π(p, e): the sigmoid of each pair's score over the sum of all pairs' (paper eq. 7).

    Computed through logarithms, so that it sums to 1 even where every sigmoid underflows.

    Raises:
        DataError: a score is not finite.
    """
    if not scores.isfinite().all():
        raise DataError(
            "prompts or patch tokens: expected finite numbers, found infinity or NaN; "
            "look for the step at which the training diverged"
        )
    return F.logsigmoid(scores).flatten(-2).softmax(dim=-1).reshape(scores.shape)


def nmi_of_joint(joint: Float64[Tensor, "*B P N"]) -> Float64[Tensor, "*B"]:
    """Return 2 I(P; E) / (H(P) + H(E)) of joint distributions (paper eq. 8), in [0, 1].

    The marginals are the sums over j and over k, and `I(P; E) = H(P) + H(E) - H(P, E)` with
    `0 log 0 = 0`. Where neither side has any entropy, nothing can be shared: 0.
    """
    separate = _entropy(joint.sum(dim=-1)) + _entropy(joint.sum(dim=-2))
    shared = separate - _entropy(joint.flatten(-2))
    ratio = torch.where(separate > 0, 2 * shared / separate, 0.0)
    return ratio.clamp(0, 1)


def _entropy(distribution: Float64[Tensor, "*B K"]) -> Float64[Tensor, "*B"]:
    return torch.special.entr(distribution).sum(dim=-1)


def _scores(entering: BlockInput, reading: Reading) -> Float64[Tensor, "B h P N"]:
    prompts, patches = entering.prompts, entering.patches
    if reading == "attention":
        with torch.no_grad():
            return attention_scores(entering.block, prompts, patches)
    dots = (prompts.double() @ patches.double().transpose(1, 2))[:, None]
    return dots if reading == "dots" else dots / prompts.shape[-1] ** 0.5
