"""How prompts act on the frozen trunk: one exact forward for every form of prompt.

Deep prompts never become tokens. Their outputs are thrown away after each block (paper eq. 6
and 13), so they act only as extra keys and values, `K = W_k LN(p)` and `V = W_v LN(p)`, which
depend on the task alone: `prefix_of` computes them once per adapter. Two forms do need tokens:
shallow prompts, whose outputs travel on, and the last block of deep prompts whose outputs the
read-out averages. The last block computes only the rows that are read.

Deep prompts may begin at a later block than the first one. The blocks before it are then the bare
trunk's, so one image has the same tokens there under all such prompts.

Two things may stand beside deep prompts. Learned keys and values join theirs. Biases are added to
every token after a block's attention: one vector for each block, which a change of the values' or
of the attention's own bias amounts to, because attention's weights sum to 1.

Axis letters: B batch, T tokens, N patches, P prompts, L layers, M of them with prompts, K learned
keys and values, D width, h heads, d head width.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from adapters.artifact.backbone_spec import BackboneSpec
from adapters.vit.adapter import Adapter
from adapters.vit.blocks.attention import (
    Bias,
    KeyMask,
    Prefix,
    heads_of,
    mean_attention,
    prompt_keys_values,
    read_first_row,
    run_block,
)
from adapters.vit.blocks.kind import Tokens
from adapters.vit.read_out import final_norm, pooling_attention, pools_special_tokens
from adapters.vit.trunk import Trunk, first_tokens


@dataclass(frozen=True)
class DeepPrompts:
    """Prompts of the last M blocks: keys and values, and the last one's tokens if it is averaged.

    Attributes:
        prefix: keys and values; a row with fewer than P prompts in a block is filled up with
            finite numbers.
        mask: added to attention scores: 0 for a prompt, minus infinity for filling; None where
            every row has P prompts in each of these blocks.
        last: the last block's prompts, if the read-out averages them; rows have one length.
        biases: added to every token after the attention of each of these blocks.
        beside: the last block's learned keys and values, where its prompts are tokens; rows have
            one number of them.
    """

    prefix: Float[Tensor, "B M P 2 h d"]
    mask: Float[Tensor, "B M P"] | None = None
    last: Float[Tensor, "B Q D"] | None = None
    biases: Float[Tensor, "B M D"] | None = None
    beside: Float[Tensor, "B K 2 h d"] | None = None

    def bias(self, index: int) -> Float[Tensor, "B 1 D"] | None:
        """Return what is added in one of these blocks, from 0 or from the end."""
        return None if self.biases is None else self.biases[:, index, None]


@dataclass(frozen=True)
class ShallowPrompts:
    """Prompts that enter the first block as tokens and stay."""

    tokens: Float[Tensor, "B P D"]


Prompts = DeepPrompts | ShallowPrompts | None


class Looks(NamedTuple):
    """Where the read-out looks, the mean over heads.

    Attributes:
        patches: share of each patch, of the attention that goes to patches; they sum to 1.
        prompts: share of all attention that goes to prompts, and to what is learned beside them.
    """

    patches: Float[Tensor, "B N"]
    prompts: Float[Tensor, " B"]


class _Last(NamedTuple):
    """What the last block is given, see `run_block`; after the image's tokens come prompts."""

    tokens: Tokens
    of_image: int
    prefix: Prefix | None = None
    mask: KeyMask | None = None
    bias: Bias | None = None


def one_row(trunk: Trunk, adapter: Adapter) -> Prompts:
    """Return an adapter's prompts, and what is beside them, as those of a batch of one row."""
    like = next(trunk.parameters())
    prompts = None if adapter.prompts is None else adapter.prompts.to(like)
    biases = None if adapter.biases is None else adapter.biases.to(like)[None]
    if prompts is None:
        if biases is None:
            return None
        depth, width = biases.shape[1:]
        prefix = like.new_zeros(1, depth, 0, 2, *heads_of(trunk.blocks[0]))
        return DeepPrompts(prefix, last=like.new_zeros(1, 0, width), biases=biases)
    if not adapter.is_deep:
        return ShallowPrompts(prompts)
    prefix = prefix_of(trunk, prompts, adapter.keys_values)[None]
    has_more = adapter.keys_values is not None
    beside = prefix[:, -1, prompts.shape[1] :] if has_more else None
    last = prompts[-1:].clone()  # of no larger tensor, so that it can be saved
    return DeepPrompts(prefix, last=last, biases=biases, beside=beside)


def prefix_of(
    trunk: Trunk,
    prompts: Float[Tensor, "M P D"],
    keys_values: Float[Tensor, "M K h d"] | None = None,
) -> Float[Tensor, "M _ 2 h d"]:
    """Return the keys and values that deep prompts contribute to each of the last M blocks.

    Learned ones, each both a key and a value, come after those of the prompts.
    """
    layers = [
        prompt_keys_values(block, layer[None])[0]
        for block, layer in zip(trunk.blocks[-len(prompts) :], prompts, strict=True)
    ]
    prefix = torch.stack(layers)
    if keys_values is None:
        return prefix
    both = keys_values[:, :, None].expand(-1, -1, 2, -1, -1)
    return torch.cat([prefix, both.to(prefix)], dim=1)


def features(
    trunk: Trunk,
    spec: BackboneSpec,
    pixels: Float[Tensor, "B 3 H W"],
    prompts: Prompts,
) -> Float[Tensor, "B D"]:
    """Run the frozen trunk under per-row prompts and pool one feature per row.

    Args:
        trunk: the backbone.
        spec: its pooling and final norm decide what is read.
        pixels: normalised images.
        prompts: of every row, all of one form; None for a bare trunk.
    """
    return _read_out(trunk, spec, _given_last(trunk, spec, pixels, prompts))


def where_it_looks(
    trunk: Trunk, spec: BackboneSpec, pixels: Float[Tensor, "B 3 H W"], prompts: Prompts
) -> Looks:
    """Return where the rows look that `features` pools, in the last block; arguments are its own.

    Under `cls` that is the class token's attention, under a mean that of all that is averaged.
    Under `map` it is that of the pooling's query, which sees the last patches and no prompts.
    """
    last = _given_last(trunk, spec, pixels, prompts)
    if spec.pooling == "map":
        read = _run_last(trunk, spec, last)
        read = final_norm(trunk)(read) if spec.final_norm == "before-pooling" else read
        weights = pooling_attention(trunk.attn_pool, read)
        return _shares(weights[:, -trunk.patch_embed.num_patches :], weights[:, :0])
    tokens, count, prefix, mask, _ = last
    rows = rows_read(trunk, spec, count)
    weights = mean_attention(trunk.blocks[-1], tokens, prefix=prefix, mask=mask, rows=rows)
    more = weights.shape[1] - tokens.shape[1]
    parts = (more, more + trunk.num_prefix_tokens, more + count)
    on_prefix, _, patches, on_tokens = weights.tensor_split(parts, dim=1)
    return _shares(patches, torch.cat([on_prefix, on_tokens], dim=1))


def _shares(patches: Float[Tensor, "B N"], prompts: Float[Tensor, "B P"]) -> Looks:
    whole = patches.sum(dim=1, keepdim=True).clamp(min=torch.finfo(patches.dtype).tiny)
    return Looks(patches / whole, prompts.sum(dim=1))


def _given_last(
    trunk: Trunk, spec: BackboneSpec, pixels: Float[Tensor, "B 3 H W"], prompts: Prompts
) -> _Last:
    """Run all blocks but the last; arguments are those of `features`."""
    if isinstance(prompts, DeepPrompts):
        first_block = len(trunk.blocks) - prompts.prefix.shape[1]
        tokens = entering_last(trunk, bare_tokens(trunk, pixels, first_block), prompts)
        return _under(prompts, spec, tokens)
    tokens = embed(trunk, pixels)
    count = tokens.shape[1]
    if prompts is not None:
        tokens = torch.cat([tokens, prompts.tokens], dim=1)
    for block in trunk.blocks[:-1]:
        tokens = run_block(block, tokens)
    return _Last(tokens, count)


def bare_tokens(trunk: Trunk, pixels: Float[Tensor, "B 3 H W"], first_block: int) -> Tokens:
    """Return what enters a block, from 0, where no block before it has prompts."""
    tokens = embed(trunk, pixels)
    for block in trunk.blocks[:first_block]:
        tokens = run_block(block, tokens)
    return tokens


def prompted_features(
    trunk: Trunk, spec: BackboneSpec, tokens: Tokens, deep: DeepPrompts
) -> Float[Tensor, "B D"]:
    """Run the last M blocks under deep prompts; see `features`.

    Args:
        trunk: the backbone.
        spec: its pooling and final norm decide what is read.
        tokens: that enter the first of these blocks.
        deep: prompts of these blocks, of every row.
    """
    return read_last(trunk, spec, entering_last(trunk, tokens, deep), deep)


def entering_last(trunk: Trunk, tokens: Tokens, deep: DeepPrompts) -> Tokens:
    """Return what enters the last block; arguments are those of `prompted_features`."""
    first_block = len(trunk.blocks) - deep.prefix.shape[1]
    masks = _over_all_keys(deep, tokens)
    for i, block in enumerate(trunk.blocks[first_block:-1]):
        mask = None if masks is None else masks[:, i]
        bias = deep.bias(i)
        tokens = run_block(block, tokens, prefix=deep.prefix[:, i], mask=mask, bias=bias)
    return tokens


def read_last(
    trunk: Trunk, spec: BackboneSpec, tokens: Tokens, deep: DeepPrompts
) -> Float[Tensor, "B D"]:
    """Run the last block under deep prompts, for what is read, and pool it."""
    return _read_out(trunk, spec, _under(deep, spec, tokens))


def _under(deep: DeepPrompts, spec: BackboneSpec, tokens: Tokens) -> _Last:
    count, bias = tokens.shape[1], deep.bias(-1)
    if spec.pooling == "mean-with-prompts":
        assert deep.last is not None, "this read-out needs the last block's prompts"
        return _Last(torch.cat([tokens, deep.last], dim=1), count, deep.beside, None, bias)
    masks = _over_all_keys(deep, tokens)
    mask = None if masks is None else masks[:, -1]
    return _Last(tokens, count, deep.prefix[:, -1], mask, bias)


def _over_all_keys(deep: DeepPrompts, tokens: Tokens) -> Float[Tensor, "B M 1 1 S"] | None:
    if deep.mask is None:
        return None
    return F.pad(deep.mask, (0, tokens.shape[1]))[:, :, None, None]


def embed(trunk: Trunk, pixels: Float[Tensor, "B 3 H W"]) -> Tokens:
    """Return the first block's input: class token and registers if any, then patch tokens."""
    return first_tokens(trunk, pixels)


def rows_read(trunk: Trunk, spec: BackboneSpec, count: int) -> slice:
    """Return which outputs of the last block are pooled.

    Args:
        trunk: the backbone.
        spec: its pooling decides.
        count: how many tokens are no prompts; prompts come after them.
    """
    if spec.pooling == "cls":
        return slice(0, 1)
    takes_all = spec.pooling == "map" and pools_special_tokens(trunk)
    first = 0 if takes_all else trunk.num_prefix_tokens
    return slice(first, None if spec.pooling == "mean-with-prompts" else count)


def pool(trunk: Trunk, spec: BackboneSpec, tokens: Float[Tensor, "B R D"]) -> Float[Tensor, "B D"]:
    """Return one feature of the rows that are read, under the final norm."""
    norm = final_norm(trunk)
    if spec.final_norm == "before-pooling":
        return _pooled(trunk, spec, norm(tokens))
    return norm(_pooled(trunk, spec, tokens))


def _pooled(
    trunk: Trunk, spec: BackboneSpec, tokens: Float[Tensor, "B R D"]
) -> Float[Tensor, "B D"]:
    return trunk.attn_pool(tokens) if spec.pooling == "map" else tokens.mean(dim=1)


def _read_out(trunk: Trunk, spec: BackboneSpec, last: _Last) -> Float[Tensor, "B D"]:
    """Run the last block for the rows that are read, and pool them."""
    return pool(trunk, spec, _run_last(trunk, spec, last))


def _run_last(trunk: Trunk, spec: BackboneSpec, last: _Last) -> Float[Tensor, "B R D"]:
    block = trunk.blocks[-1]
    tokens, count, prefix, mask, bias = last
    if spec.pooling == "cls":
        return read_first_row(block, tokens, prefix=prefix, mask=mask, bias=bias)
    rows = rows_read(trunk, spec, count)
    return run_block(block, tokens, prefix=prefix, mask=mask, rows=rows, bias=bias)
