"""Other ways to compute the same rows, which ours are compared with.

Each is called with what a backend takes, normalised float32 pixels on the CPU, and returns one
feature per row. Prompts are deep and the class token is read.
Axis letters: B batch, L layers, P prompts, D width, H W pixels.
"""

from collections.abc import Callable, Sequence
from copy import deepcopy

import torch
import torch._inductor.config as inductor
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor

from adapters.vit.backbone import Backbone
from serving.forward.prompts import gather_prompts
from serving.rows.resident import Resident
from serving.trunk.backend import Backend

Forward = Callable[[Tensor], Tensor]

MAX_BYTES_OF_MODELS = 3 << 30


def mixed(backend: Backend, residents: Sequence[Resident]) -> Forward:
    """Ours: every row its own adapter, one forward."""

    def forward(pixels: Tensor) -> Tensor:
        prompts = gather_prompts(
            backend.backbone, residents[0].form, residents, backend.key_alignment
        )
        return backend.features(residents[0].form, pixels, prompts)

    return forward


def one_by_one(backend: Backend, residents: Sequence[Resident]) -> Forward:
    """Ours, one forward per row: what switching adapters between tasks costs."""
    each = [mixed(backend, [resident]) for resident in residents]

    def forward(pixels: Tensor) -> Tensor:
        return torch.cat([single(pixels[i : i + 1]) for i, single in enumerate(each)])

    return forward


def plain(backbone: Backbone) -> Forward:
    """timm's own forward of the bare trunk."""

    def forward(pixels: Tensor) -> Tensor:
        return backbone.trunk(place(pixels, backbone))

    return forward


def plain_compiled(backbone: Backbone, batches: Sequence[int]) -> Forward:
    """timm's own forward, compiled and warmed up as our backends do with ours."""
    size, on_cuda = backbone.spec.image_size, backbone.device.type == "cuda"

    def run(pixels: Tensor) -> Tensor:
        return backbone.trunk(pixels)

    compiled = torch.compile(
        run,
        fullgraph=True,
        dynamic=not on_cuda,
        isolate_recompiles=True,
        mode="reduce-overhead" if on_cuda else None,
    )

    def forward(pixels: Tensor) -> Tensor:
        return compiled(place(pixels, backbone))

    with torch.inference_mode(), inductor.patch(freezing=not on_cuda):
        for rows in sorted(set(batches) if on_cuda else {1, 2, max(batches)}):
            forward(torch.zeros(rows, 3, size, size))
    return forward


def separate_models(backbone: Backbone, rows: int) -> Forward:
    """One whole model per task, one row each; round robin if so many need too much memory."""
    copies = [deepcopy(backbone.trunk) for _ in range(num_copies(backbone, rows))]

    def forward(pixels: Tensor) -> Tensor:
        placed = place(pixels, backbone)
        return torch.cat([copies[i % len(copies)](placed[i : i + 1]) for i in range(len(placed))])

    return forward


def num_copies(backbone: Backbone, rows: int) -> int:
    """Return how many models `separate_models` holds at once."""
    return max(1, min(rows, MAX_BYTES_OF_MODELS // trunk_bytes(backbone)))


def trunk_bytes(backbone: Backbone) -> int:
    """Return the memory of the trunk's parameters."""
    return sum(p.numel() * p.element_size() for p in backbone.trunk.parameters())


def tokens_in_batch(backbone: Backbone, prompts: Sequence[Tensor]) -> Forward:
    """Prompts as tokens, as the official code computes them, but of another task in each row."""

    def forward(pixels: Tensor) -> Tensor:
        return token_form(backbone.trunk, torch.stack(list(prompts)), place(pixels, backbone))

    return forward


def token_form(trunk: VisionTransformer, prompts: Tensor, pixels: Tensor) -> Tensor:
    """Run prompts `[B, L, P, D]` as tokens after the class token, replaced before each block."""
    tokens, length = trunk._pos_embed(trunk.patch_embed(pixels)), prompts.shape[2]
    for i, block in enumerate(trunk.blocks):
        patches = tokens[:, 1 + (length if i else 0) :]
        tokens = block(torch.cat([tokens[:, :1], prompts[:, i], patches], dim=1))
    return trunk.norm(tokens)[:, 0]


def place(pixels: Tensor, backbone: Backbone) -> Tensor:
    """Return pixels on the device; copy them to CUDA from pinned memory, as `Arrivals` does."""
    if backbone.device.type == "cuda" and pixels.device.type == "cpu":
        pixels = pixels.pin_memory().to(backbone.device, non_blocking=True)
    return pixels.to(backbone.dtype)
