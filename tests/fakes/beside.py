"""The slow, obvious form of what may stand beside prompts: timm's blocks, changed in place."""

import copy
import math
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor, nn

from adapters.vit.adapter import Adapter
from adapters.vit.trunk import Trunk
from tests.fakes.artifacts import make_adapter


def adapter_with(
    *, keys_values: int = 0, biases: bool = False, seed: int = 0, **options: object
) -> Adapter:
    """Return a random adapter with so many keys and values, and with biases if asked."""
    adapter = make_adapter(seed=seed, **options)
    spec, generator = adapter.meta.backbone, torch.Generator().manual_seed(seed + 100)
    layers = spec.depth - adapter.meta.first_block
    shape = (layers, keys_values, spec.num_heads, spec.width // spec.num_heads)
    more = torch.randn(shape, generator=generator) if keys_values else None
    added = torch.randn(spec.depth, spec.width, generator=generator) if biases else None
    return replace(adapter, keys_values=more, biases=added)


def changed(trunk: Trunk, adapter: Adapter) -> Trunk:
    """Return a copy whose plain blocks, without gains, do what stands beside the prompts."""
    trunk = copy.deepcopy(trunk)
    for i, block in enumerate(trunk.blocks):
        if adapter.biases is not None:
            block.attn.proj.bias.data += adapter.biases[i].to(block.attn.proj.bias)
        if adapter.keys_values is not None:
            block.attn.forward = _attention(block.attn, adapter.keys_values[i])
    return trunk


def _attention(attn: nn.Module, more: Tensor) -> Callable[..., Tensor]:
    def forward(tokens: Tensor, **_: object) -> Tensor:
        heads = []
        queries, keys, values = attn.qkv(tokens).chunk(3, dim=-1)
        for h in range(attn.num_heads):
            part = slice(h * attn.head_dim, (h + 1) * attn.head_dim)
            own = more[:, h].to(tokens).expand(len(tokens), -1, -1)
            k, v = torch.cat([own, keys[..., part]], 1), torch.cat([own, values[..., part]], 1)
            weights = (queries[..., part] @ k.mT / math.sqrt(attn.head_dim)).softmax(dim=-1)
            heads.append(attn.attn_drop(weights) @ v)
        return attn.proj(torch.cat(heads, dim=-1))

    return forward
