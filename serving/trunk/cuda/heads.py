"""Every row's own head, read where its adapter lies, then the best of its own classes.

Nothing is gathered or padded: a row costs what its own task's classes cost. All of it is float32,
as heads are. One kernel writes logits, each row's spread over a few programs; another reads them.

Axis letters: B batch, D width, C classes, K classes kept.
"""

from typing import Final

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.library import triton_op, wrap_triton

from adapters.artifact.bounds import MAX_CLASSES
from serving.trunk.cuda.addresses import is_compiled, offset_of

SHARES: Final = 16
"""Programs of one row's logits: one alone would read a large head at the speed of one core."""

CLASSES: Final = 8
"""Of one tile of logits."""

PICKED: Final = 1024
"""Classes that one program looks at together when it picks the best."""

WARPS: Final = 4

_NO_CLASS = tl.constexpr(1 << 30)


@triton.jit  # type: ignore[untyped-decorator]
def logits_kernel(  # type: ignore[no-untyped-def]
    features,
    weights,
    biases,
    classes,
    logits,
    capacity,
    WIDTH: tl.constexpr,
    BLOCK_D: tl.constexpr,
    BLOCK_C: tl.constexpr,
) -> None:
    """A share of the logits of one row; grid (B, shares)."""
    row = tl.program_id(0).to(tl.int64)
    d = tl.arange(0, BLOCK_D)
    feature = tl.load(features + row * WIDTH + d, mask=d < WIDTH, other=0.0).to(tl.float32)
    count = tl.load(classes + row).to(tl.int32)
    weight = offset_of(tl.load(weights + row), logits)
    bias = offset_of(tl.load(biases + row), logits)
    for first in range(tl.program_id(1) * BLOCK_C, count, tl.num_programs(1) * BLOCK_C):
        c = first + tl.arange(0, BLOCK_C)
        at = weight + c.to(tl.int64)[:, None] * WIDTH + d
        w = tl.load(logits + at, mask=(c < count)[:, None] & (d < WIDTH), other=0.0)
        found = tl.sum(w * feature, 1) + tl.load(logits + bias + c, mask=c < count, other=0.0)
        tl.store(logits + row * capacity + c, found, mask=c < count)


@triton.jit  # type: ignore[untyped-decorator]
def pick_kernel(  # type: ignore[no-untyped-def]
    features,
    weights,
    logits,
    classes,
    temperatures,
    scores,
    found,
    margins,
    capacity,
    TOP_K: tl.constexpr,
    BLOCK: tl.constexpr,
    WIDTH: tl.constexpr,
    BLOCK_D: tl.constexpr,
) -> None:
    """The best classes of one row, the first of equal ones first, and its margin; grid (B,)."""
    row = tl.program_id(0).to(tl.int64)
    count = tl.load(classes + row).to(tl.int32)
    temperature = tl.load(temperatures + row).to(tl.int32).to(tl.float32, bitcast=True)
    own = logits + row * capacity
    highest, total = -float("inf"), 0.0
    for first in range(0, count, BLOCK):
        c = first + tl.arange(0, BLOCK)
        z = tl.load(own + c, mask=c < count, other=-float("inf"))
        higher = tl.maximum(highest, tl.max(z, 0))
        total *= tl.exp((highest - higher) / temperature)
        total += tl.sum(tl.exp((z - higher) / temperature), 0)
        highest = higher
    value, place = float("inf"), -1
    first_place, second_place, second = 0, 0, highest
    for k in range(TOP_K):
        best, best_place = -float("inf"), _NO_CLASS.value
        for first in range(0, count, BLOCK):
            c = first + tl.arange(0, BLOCK)
            z = tl.load(own + c, mask=c < count, other=-float("inf"))
            is_left = (c < count) & ((z < value) | ((z == value) & (c > place)))
            z = tl.where(is_left, z, -float("inf"))
            top = tl.max(z, 0)
            if top > best:
                best_place = tl.min(tl.where(z == top, c, _NO_CLASS), 0)
                best = top
        value, place = best, best_place
        known = tl.where(best_place < count, best_place, 0)
        first_place = tl.where(k == 0, known, first_place)
        second_place = tl.where(k == 1, known, second_place)
        second = tl.where(k == 1, best, second)
        score = tl.where(k < count, tl.exp((best - highest) / temperature) / total, 0.0)
        tl.store(scores + row * TOP_K + k, score)
        tl.store(found + row * TOP_K + k, known)
    d = tl.arange(0, BLOCK_D)
    weight = offset_of(tl.load(weights + row), logits) + d
    is_there = (d < WIDTH) & (count > 1)
    w1 = tl.load(logits + weight + first_place * WIDTH, mask=is_there, other=0.0)
    w2 = tl.load(logits + weight + second_place * WIDTH, mask=is_there, other=0.0)
    feature = tl.load(features + row * WIDTH + d, mask=d < WIDTH, other=0.0).to(tl.float32)
    apart = tl.sqrt(tl.sum((w1 - w2) * (w1 - w2), 0) * tl.sum(feature * feature, 0))
    margin = tl.where(count > 1, (highest - second) / apart, float("inf"))
    tl.store(margins + row, margin)


@triton_op("spt::best_classes", mutates_args=())
def best_by_address(
    features: Tensor,
    weights: Tensor,
    biases: Tensor,
    classes: Tensor,
    temperatures: Tensor,
    top_k: int,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return each row's best softmax probabilities, best first, their classes, and its margin.

    Args:
        features: `[B, D]`, contiguous.
        weights: address of each row's head `[C, D]`, float32 on the same device, contiguous and
            aligned to 16 bytes, int64 `[B]`; what lies there must outlive the launch.
        biases: likewise of `[C]`.
        classes: C of each row, `[B]`; with 0 its addresses are not used.
        temperatures: of each row, the bits of a float32, int64 `[B]`.
        top_k: K, 2 at least; places after a row's last class have probability 0.

    Returns:
        float32 `[B, K]`, int32 `[B, K]` and float32 `[B]`; see `serving.forward.heads.margins`.
    """
    rows, width = features.shape
    logits = features.new_empty((rows, MAX_CLASSES), dtype=torch.float32)
    scores = features.new_empty((rows, top_k), dtype=torch.float32)
    found = features.new_empty((rows, top_k), dtype=torch.int32)
    margins = features.new_empty((rows,), dtype=torch.float32)
    row = {"WIDTH": width, "BLOCK_D": triton.next_power_of_2(width), "num_warps": WARPS}
    write = wrap_triton(logits_kernel) if is_compiled(logits_kernel) else logits_kernel
    write[(rows, SHARES)](
        *(features, weights, biases, classes, logits, MAX_CLASSES),
        BLOCK_C=CLASSES,
        **row,
    )
    pick = wrap_triton(pick_kernel) if is_compiled(pick_kernel) else pick_kernel
    pick[(rows,)](
        *(features, weights, logits, classes, temperatures, scores, found, margins, MAX_CLASSES),
        TOP_K=top_k,
        BLOCK=PICKED,
        **row,
    )
    return scores, found, margins
