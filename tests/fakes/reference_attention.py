"""Where the read-out looks, as timm's own blocks weigh tokens: the slow form, one image at a time.

Prompts are tokens, and timm is listened to while it computes; shares nothing with
`adapters.vit.prompting`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

import torch
import torch.nn.functional as F
from torch import Tensor

from adapters.vit.adapter import Adapter
from adapters.vit.trunk import Trunk
from tests.fakes.beside import changed
from tests.fakes.reference import reference_feature


def reference_looks(trunk: Trunk, adapter: Adapter, pixels: Tensor) -> tuple[Tensor, float]:
    """Return the shares [N] of the patches of one image [3, H, W], and that of all prompts."""
    pooling, special = adapter.meta.backbone.pooling, trunk.num_prefix_tokens
    count = trunk.patch_embed.num_patches
    if pooling == "map":
        with _products_of_pooling(trunk) as seen:
            reference_feature(trunk, adapter, pixels)
        ((queries, keys),) = seen
        scores = queries @ keys.mT / queries.shape[-1] ** 0.5
        weights, prompts = scores.softmax(dim=-1).mean(dim=1)[0, 0], 0.0
    else:
        own = changed(trunk, adapter) if adapter.tensors.keys() - _USUAL else trunk
        with _weights_of_last_block(own) as seen:
            reference_feature(own, adapter, pixels)
        learned = 0 if adapter.keys_values is None else adapter.keys_values.shape[1]
        length = 0 if adapter.prompts is None else adapter.prompts.shape[1]
        first = {"cls": 0, "mean": special + length, "mean-with-prompts": special}[pooling]
        last = 1 if pooling == "cls" else None
        # of one image; timm weighs all heads at once, our changed block one after the other
        heads = torch.cat([one.flatten(0, -3) for one in seen])
        weights = heads[:, first:last].mean(dim=(0, 1))
        start = learned + special
        prompts = float(weights[:learned].sum() + weights[start : start + length].sum())
    patches = weights[-count:]
    return patches / patches.sum(), prompts


_USUAL = {"head.weight", "head.bias", "prompts"}


@contextmanager
def _weights_of_last_block(trunk: Trunk) -> Iterator[list[Tensor]]:
    """Collect what timm drops attention weights out of, which at rest drops none."""
    seen: list[Tensor] = []
    attn = trunk.blocks[-1].attn
    hook = attn.attn_drop.register_forward_hook(lambda _, given, __: seen.append(given[0]))
    with patch.object(attn, "fused_attn", False):
        yield seen
    hook.remove()


@contextmanager
def _products_of_pooling(trunk: Trunk) -> Iterator[list[tuple[Tensor, Tensor]]]:
    """Collect the queries and keys of timm's attention pooling."""
    seen: list[tuple[Tensor, Tensor]] = []
    inside, real = [False], F.scaled_dot_product_attention

    def attend(queries: Tensor, keys: Tensor, *rest: Tensor, **options: object) -> Tensor:
        if inside[0]:
            seen.append((queries, keys))
        return real(queries, keys, *rest, **options)

    pool = trunk.attn_pool
    hooks = [
        pool.register_forward_pre_hook(lambda *_: inside.__setitem__(0, True)),
        pool.register_forward_hook(lambda *_: inside.__setitem__(0, False)),
    ]
    with patch.object(F, "scaled_dot_product_attention", attend):
        yield seen
    for hook in hooks:
        hook.remove()
