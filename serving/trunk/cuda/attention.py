"""Attention over packed queries, keys and values, and a prefix that each row has elsewhere.

A row's prefix is read where its adapter lies, by one address and one length: nothing is gathered,
joined or masked, and rows of any lengths, or of none, are one launch. The prefix comes first, so
it fills up the last tile of keys: 197 tokens and 20 prompts are 4 tiles of 64, as 197 alone are.

Axis letters: B batch, N tokens, R queries, P prompts, L layers, D width, h heads, d head width.
"""

from typing import Final

import triton
import triton.language as tl
from torch import Tensor
from torch.library import triton_op, wrap_triton

from serving.trunk.cuda.addresses import is_compiled, offset_of

HEAD_DIMS: Final = (32, 64)
"""Head widths whose tiles were checked for registers and tensor cores."""

WARPS: Final = 4
STAGES: Final = 3
KEYS: Final = 64
"""Of one tile."""

_LOG2_E: Final = 1.4426950408889634


@triton.jit  # type: ignore[untyped-decorator]
def attention_kernel(  # type: ignore[no-untyped-def]
    qkv,
    prefixes,
    lengths,
    out,
    layer,
    tokens,
    queries,
    scale,
    HEADS: tl.constexpr,
    HEAD_DIM: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_N: tl.constexpr,
) -> None:
    """One tile of queries of one head of one row; grid (tiles, h, B)."""
    width: tl.constexpr = HEADS * HEAD_DIM
    head, row = tl.program_id(1), tl.program_id(2).to(tl.int64)
    m = tl.program_id(0) * BLOCK_M + tl.arange(0, BLOCK_M)
    d = tl.arange(0, HEAD_DIM)
    own = row * tokens * (3 * width) + head * HEAD_DIM
    q = tl.load(qkv + own + m[:, None] * (3 * width) + d, mask=m[:, None] < queries, other=0.0)

    prompts = tl.load(lengths + row).to(tl.int32)
    prefix = offset_of(tl.load(prefixes + row), qkv)
    prefix += layer * prompts.to(tl.int64) * (2 * width) + head * HEAD_DIM

    highest = tl.full([BLOCK_M], -1e30, tl.float32)
    total = tl.zeros([BLOCK_M], tl.float32)
    mixed = tl.zeros([BLOCK_M, HEAD_DIM], tl.float32)
    for first in range(0, prompts + tokens, BLOCK_N):
        n = first + tl.arange(0, BLOCK_N)
        is_key = n < prompts + tokens
        key = tl.where(
            n < prompts,
            prefix + n * (2 * width),
            own + width + (n - prompts).to(tl.int64) * (3 * width),
        )
        key = tl.multiple_of(key, 8)
        k = tl.load(qkv + key[:, None] + d, mask=is_key[:, None], other=0.0)
        v = tl.load(qkv + (key + width)[:, None] + d, mask=is_key[:, None], other=0.0)
        scores = tl.dot(q, tl.trans(k), input_precision="ieee") * scale
        scores = tl.where(is_key, scores, -1e30)
        higher = tl.maximum(highest, tl.max(scores, 1))
        weights = tl.exp2(scores - higher[:, None])
        kept = tl.exp2(highest - higher)
        total = total * kept + tl.sum(weights, 1)
        mixed = tl.dot(weights.to(v.dtype), v, mixed * kept[:, None], input_precision="ieee")
        highest = higher
    mixed = mixed / total[:, None]
    to = out + row * queries * width + head * HEAD_DIM + m[:, None] * width + d
    tl.store(to, mixed.to(out.dtype.element_ty), mask=m[:, None] < queries)


@triton_op("spt::prefix_attention", mutates_args=())
def prefix_attention(
    qkv: Tensor, prefixes: Tensor, lengths: Tensor, layer: int, heads: int, queries: int
) -> Tensor:
    """Return the first tokens' values weighted by attention to the prefix and to all tokens.

    Args:
        qkv: packed queries, keys and values, `[B, N, 3 * D]`, contiguous.
        prefixes: address of each row's `[L, P, 2, h, d]` on the same device, in the same floating
            type, contiguous and aligned to 16 bytes, int64 `[B]`; what lies there must outlive the
            launch, which the allocator does not know of. Other layers than the one are not read.
        lengths: P of each row in this layer, `[B]`; with 0 its address is not used.
        layer: which of the L.
        heads: h.
        queries: R; outputs of tokens after the first R are not computed.

    Returns:
        `[B, R, D]`.
    """
    rows, tokens, packed = qkv.shape
    out = qkv.new_empty((rows, queries, packed // 3))
    head_dim = packed // 3 // heads
    tile = queries_of_tile(queries)
    grid = (triton.cdiv(queries, tile), heads, rows)
    scale = head_dim**-0.5 * _LOG2_E
    # named here, so that what compilers keep of this operator changes with its kernel
    kernel = wrap_triton(attention_kernel) if is_compiled(attention_kernel) else attention_kernel
    kernel[grid](
        *(qkv, prefixes, lengths, out, layer, tokens, queries, scale),
        HEADS=heads,
        HEAD_DIM=head_dim,
        BLOCK_M=tile,
        BLOCK_N=KEYS,
        num_warps=WARPS,
        num_stages=STAGES,
    )
    return out


def queries_of_tile(queries: int) -> int:
    """Return the queries of one program: 64, which tensor cores take whole, or 16 if so few."""
    return 16 if queries <= 16 else 64
