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

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from adapters.artifact.backbone_spec import BackboneSpec
from adapters.vit.blocks.attention import prompt_keys_values, read_first_row, run_block
from adapters.vit.blocks.kind import Tokens
from adapters.vit.read_out import final_norm, pools_special_tokens
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
    if isinstance(prompts, DeepPrompts):
        first_block = len(trunk.blocks) - prompts.prefix.shape[1]
        return prompted_features(trunk, spec, bare_tokens(trunk, pixels, first_block), prompts)
    tokens = embed(trunk, pixels)
    count = tokens.shape[1]
    if prompts is not None:
        tokens = torch.cat([tokens, prompts.tokens], dim=1)
    for block in trunk.blocks[:-1]:
        tokens = run_block(block, tokens)
    return _read_out(trunk, spec, tokens, count, None, None)


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
    masks = _over_all_keys(deep, tokens)
    last_mask = None if masks is None else masks[:, -1]
    return _read_out(trunk, spec, tokens, tokens.shape[1], deep, last_mask)


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


def _read_out(
    trunk: Trunk,
    spec: BackboneSpec,
    tokens: Tokens,
    count: int,
    deep: DeepPrompts | None,
    mask: Float[Tensor, "B 1 1 S"] | None,
) -> Float[Tensor, "B D"]:
    """Run the last block for the rows that are read, of which `count` are no prompts; pool them."""
    block, prefix = trunk.blocks[-1], None if deep is None else deep.prefix[:, -1]
    bias = None if deep is None else deep.bias(-1)
    if spec.pooling == "cls":
        first = read_first_row(block, tokens, prefix=prefix, mask=mask, bias=bias)
        return pool(trunk, spec, first)
    if spec.pooling == "mean-with-prompts" and deep is not None:
        assert deep.last is not None, "this read-out needs the last block's prompts"
        tokens, prefix, mask = torch.cat([tokens, deep.last], dim=1), deep.beside, None
    rows = rows_read(trunk, spec, count)
    read = run_block(block, tokens, prefix=prefix, mask=mask, rows=rows, bias=bias)
    return pool(trunk, spec, read)
