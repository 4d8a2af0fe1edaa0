"""PAE's modal pre-alignment (Wang et al. 2026): prompts of the frequencies that classes differ by.

"Visual prompt-agnostic evolution", as in the authors' code. A window of 16 x 16 frequencies moves
over the centred spectrum of the images in steps of 8. The loss of images with these frequencies
alone, under prompts of zero and a new head, ranks the windows. Each of the P best makes a prompt of
the first block: the mean of the filtered images' patch tokens, weighted by their squared length.
Each further block's prompts are what the block before makes of its own, on their own.

Axis letters: B batch, P prompts, D width, S windows, H W pixels.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from adapters.vit.backbone import Backbone
from adapters.vit.blocks.attention import run_block
from adapters.vit.blocks.known import not_plain
from adapters.vit.prompting import embed
from trainer.errors import RecipeError
from trainer.methods.prompted import PromptedClassifier

WINDOW, STEP = 16, 8
"""Of frequencies, as are the pixels of the images."""

Batch = tuple[Float[Tensor, "_ 3 H W"], Int64[Tensor, " _"]]


@torch.no_grad()
def mpa_prompts(
    backbone: Backbone, batches: Sequence[Batch], shape: tuple[int, int], num_classes: int
) -> Float[Tensor, "M P D"]:
    """Return the prompts of the last M blocks, or of the first one if M is 1.

    One forward of all images for each window: 729 of them for images of 224 pixels.

    Args:
        backbone: frozen, of plain blocks.
        batches: normalised images and their labels, gone over more than once.
        shape: M and P.
        num_classes: of the head, whose weights torch's generator draws.

    Raises:
        RecipeError: there are fewer windows than prompts, or the blocks are of another kind.
    """
    layers, count = shape
    _check(backbone, count)
    prompts = torch.zeros(*shape, backbone.spec.width)
    model = PromptedClassifier(backbone, num_classes, prompts, frozen=True)
    model.to(backbone.device, backbone.dtype)
    masks = windows(backbone.spec.image_size).to(backbone.device)
    best = losses(model, batches, masks).topk(count, largest=False).indices
    made = torch.stack([filtered_mean(backbone, batches, masks[one]) for one in best.tolist()])
    evolved = [made]
    for block in backbone.trunk.blocks[:-1]:
        evolved.append(run_block(block, evolved[-1][None])[0])
    return torch.stack(evolved[:1] if layers == 1 else evolved[-layers:])


def windows(side: int) -> Bool[Tensor, "S H W"]:
    """Return the mask of each window over the centred spectrum, row by row."""
    starts = range(0, side - WINDOW + 1, STEP)
    masks = torch.zeros(len(starts) ** 2, side, side, dtype=torch.bool)
    places = [(top, left) for top in starts for left in starts]
    for mask, (top, left) in zip(masks, places, strict=True):
        mask[top : top + WINDOW, left : left + WINDOW] = True
    return masks


def through(
    pixels: Float[Tensor, "B 3 H W"], mask: Bool[Tensor, "H W"]
) -> Float[Tensor, "B 3 H W"]:
    """Return the images with the frequencies of a window alone."""
    spectrum = torch.fft.fftshift(torch.fft.fft2(pixels), dim=(-2, -1))
    return torch.fft.ifft2(torch.fft.ifftshift(spectrum * mask, dim=(-2, -1))).real


def losses(
    model: nn.Module, batches: Sequence[Batch], masks: Bool[Tensor, "S H W"]
) -> Float[Tensor, " S"]:
    """Return the summed cross-entropy of the images through each window."""
    total = torch.zeros(len(masks), device=masks.device)
    for pixels, labels in batches:
        for place, mask in enumerate(masks):
            logits = model(through(pixels.to(masks.device), mask)).float()
            total[place] += F.cross_entropy(logits, labels.to(masks.device), reduction="sum")
    return total


def filtered_mean(
    backbone: Backbone, batches: Sequence[Batch], mask: Bool[Tensor, "H W"]
) -> Float[Tensor, " D"]:
    """Return the mean patch token of the images through a window, weighted by squared length."""
    trunk = backbone.trunk
    weighted = torch.zeros(backbone.spec.width, device=mask.device, dtype=backbone.dtype)
    weight = torch.zeros((), device=mask.device, dtype=backbone.dtype)
    for pixels, _ in batches:
        tokens = embed(trunk, through(pixels.to(mask.device), mask))[:, trunk.num_prefix_tokens :]
        energy = tokens.square().sum(dim=-1, keepdim=True)
        weighted += (energy * tokens).sum(dim=(0, 1))
        weight += energy.sum()
    return weighted / weight


def _check(backbone: Backbone, count: int) -> None:
    name, side = backbone.spec.name, backbone.spec.image_size
    if other := not_plain(backbone.trunk.blocks):
        raise RecipeError(
            f"prompt.init=mpa on backbone {name}: its blocks are of type {other}, expected those "
            "of a plain ViT; choose another init, such as uniform"
        )
    found = max(0, (side - WINDOW) // STEP + 1) ** 2
    if found < count:
        raise RecipeError(
            f"prompt.init=mpa on backbone {name}: images of {side} pixels have {found} windows of "
            f"frequencies, but prompt.num_tokens is {count}; lower it, or choose another init"
        )
