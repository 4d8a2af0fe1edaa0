"""Blocks of timm's `Eva`: EVA, EVA-02, Perception Encoder, RoPE-ViT, DINOv3 and their kin.

Queries and keys of patches are turned by their places. Class token, registers and prompts are not:
so keys of deep prompts depend on the task alone. See `Kind` for the methods and the axis letters.
"""

from typing import Any

import torch
from jaxtyping import Float
from timm.models.eva import EvaBlock
from torch import Tensor, nn

from adapters.vit.blocks.gains import add_branches
from adapters.vit.blocks.kind import KeysValues, Queries, Tokens
from adapters.vit.blocks.projection import Projection, project, projection, scores_through


class EvaBlocks:
    """One projection or three; norms of queries, keys and attention's output, if any; rotation."""

    def heads(self, block: EvaBlock) -> tuple[int, int]:
        """See `Kind.heads`."""
        return block.attn.num_heads, block.attn.head_dim

    def queries_keys_values(self, block: EvaBlock, normed: Tokens) -> tuple[Queries, KeysValues]:
        """See `Kind.queries_keys_values`."""
        queries, joined = _project(block.attn, normed, 0, 3).split([1, 2], dim=2)
        return _finished(block, queries, 0), _with_finished_keys(block, joined, placed=True)

    def queries(self, block: EvaBlock, normed: Float[Tensor, "B R D"], place: int) -> Queries:
        """See `Kind.queries`."""
        return _finished(block, _project(block.attn, normed, 0, 1), place)

    def keys_values(self, block: EvaBlock, normed: Tokens, *, placed: bool) -> KeysValues:
        """See `Kind.keys_values`."""
        return _with_finished_keys(block, _project(block.attn, normed, 1, 3), placed=placed)

    def scores(
        self, block: EvaBlock, query: Float[Tensor, "B h d"], normed: Tokens
    ) -> Float[Tensor, "B h T"]:
        """See `Kind.scores`."""
        attn = block.attn
        if block.rotation is None and isinstance(attn.k_norm, nn.Identity):
            return scores_through(_projection(attn, 1), query, normed)
        keys = _turned(block, attn.k_norm(_project(attn, normed, 1, 2)[:, :, 0]), 0)
        return torch.einsum("bhd,bthd->bht", query, keys)

    def values(self, block: EvaBlock) -> Projection:
        """See `Kind.values`."""
        return _projection(block.attn, 2)

    def bias(self, block: EvaBlock, normed: Tokens, rows: slice) -> None:
        """See `Kind.bias`."""

    def after(
        self, block: EvaBlock, kept: Float[Tensor, "B R D"], mixed: Float[Tensor, "B R A"]
    ) -> Float[Tensor, "B R D"]:
        """See `Kind.after`."""
        return add_branches(block, kept, block.attn.proj(block.attn.norm(mixed)))


def _finished(block: EvaBlock, queries: Float[Tensor, "B R 1 h d"], place: int) -> Queries:
    return _turned(block, block.attn.q_norm(queries[:, :, 0]), place)


def _with_finished_keys(block: EvaBlock, joined: KeysValues, *, placed: bool) -> KeysValues:
    is_turned = placed and block.rotation is not None
    if isinstance(block.attn.k_norm, nn.Identity) and not is_turned:
        return joined
    keys = block.attn.k_norm(joined[:, :, 0])
    return torch.stack([_turned(block, keys, 0) if placed else keys, joined[:, :, 1]], dim=2)


def _turned(block: EvaBlock, x: Float[Tensor, "B R h d"], place: int) -> Float[Tensor, "B R h d"]:
    return x if block.rotation is None else block.rotation(x, place)


def _project(attn: Any, normed: Tokens, start: int, stop: int) -> Float[Tensor, "B T _ h d"]:
    """Return some of queries, keys and values (0, 1, 2), before norms and rotation."""
    if attn.qkv is not None:
        return project(attn, normed, start, stop)
    layers = (attn.q_proj, attn.k_proj, attn.v_proj)[start:stop]
    found = [layer(normed).unflatten(-1, (-1, attn.head_dim)) for layer in layers]
    return torch.stack([_for_all_heads(attn, one, 2) for one in found], dim=2)


def _projection(attn: Any, which: int) -> Projection:
    """Return what makes queries, keys or values (0, 1, 2)."""
    if attn.qkv is not None:
        return projection(attn, which)
    layer = (attn.q_proj, attn.k_proj, attn.v_proj)[which]
    heads = (-1, attn.head_dim)
    weight = _for_all_heads(attn, layer.weight.unflatten(0, heads), 0)
    if layer.bias is None:
        return Projection(weight, None)
    return Projection(weight, _for_all_heads(attn, layer.bias.unflatten(0, heads), 0))


def _for_all_heads(attn: Any, shared: Tensor, dim: int) -> Tensor:
    """Give each head the keys and values that it shares with its neighbours (Sapiens 2)."""
    sharing = attn.num_heads // shared.shape[dim]
    return shared if sharing == 1 else shared.repeat_interleave(sharing, dim=dim)
