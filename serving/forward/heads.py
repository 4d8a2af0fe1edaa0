"""All heads of a batch: features of rows of any tasks → their best classes.

Axis letters: B batch, D width, C classes, K classes kept.
"""

from collections import defaultdict
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from serving.rows.resident import Resident
from serving.trunk.transfer import send

Best = tuple[Float[Tensor, "B K"], Int[Tensor, "B K"]]


def best_classes(features: Float[Tensor, "B D"], residents: Sequence[Resident], top_k: int) -> Best:
    """Return each row's best softmax probabilities, best first, and their classes.

    Logits are divided by their task's temperature. Probabilities are float32 at least.

    Args:
        features: one per row.
        residents: whose head each row wants.
        top_k: K is this or the largest number of classes; where a row has fewer classes, the
            places after them have probability 0.
    """
    own = own_logits(features, residents)
    best = own.topk(min(top_k, own.shape[1]), dim=1).indices
    return (own / _temperatures(residents, own)).softmax(dim=1).gather(1, best), best


def margins(features: Float[Tensor, "B D"], residents: Sequence[Resident]) -> Float[Tensor, " B"]:
    """Return how far each feature is from the boundary between its two best classes.

    `(z1 - z2) / (|w1 - w2| |f|)` with logits `z` and rows `w` of the head: the length of the
    shortest change of the feature that swaps the two, relative to the feature's own. Infinite for
    a task of one class.
    """
    own = own_logits(features, residents)
    if own.shape[1] < 2:
        return own.new_full((len(own),), torch.inf)
    best = own.topk(2, dim=1)
    weights = torch.stack(
        [
            # the second of a task of one class is no class, and infinitely far away
            resident.head_weight[pair.clamp(max=len(resident.head_weight) - 1)]
            for resident, pair in zip(residents, best.indices, strict=True)
        ]
    ).to(own.dtype)
    apart = (weights[:, 0] - weights[:, 1]).norm(dim=1)
    lead = best.values[:, 0] - best.values[:, 1]
    return lead / (apart * features.to(own.dtype).norm(dim=1))


def own_logits(
    features: Float[Tensor, "B D"], residents: Sequence[Resident]
) -> Float[Tensor, "B C"]:
    """Return each row's logits, float32 at least, minus infinity where its task has no class."""
    exact = features.to(torch.promote_types(features.dtype, torch.float32))
    # on CUDA every product costs a launch, on the CPU every copy of a head costs more than its use
    by_heads = _one_by_one if features.device.type == "cpu" else _joined
    return by_heads(exact, residents)


def _temperatures(residents: Sequence[Resident], like: Tensor) -> Float[Tensor, "B 1"]:
    found = torch.tensor([resident.meta.temperature for resident in residents], dtype=like.dtype)
    return send(found[:, None], like.device)


def _one_by_one(
    features: Float[Tensor, "B D"], residents: Sequence[Resident]
) -> Float[Tensor, "B C"]:
    rows_of: dict[int, list[int]] = defaultdict(list)
    for row, resident in enumerate(residents):
        rows_of[id(resident)].append(row)
    widest = max(len(resident.head_bias) for resident in residents)
    own = features.new_full((len(residents), widest), -torch.inf)
    for rows in rows_of.values():
        head = residents[rows[0]]
        weight, bias = head.head_weight.to(own.dtype), head.head_bias.to(own.dtype)
        own[rows, : len(bias)] = torch.addmm(bias, features[rows], weight.T)
    return own


def _joined(features: Float[Tensor, "B D"], residents: Sequence[Resident]) -> Float[Tensor, "B C"]:
    """One product with all distinct heads; every row then reads its task's columns."""
    heads = list({id(resident): resident for resident in residents}.values())
    weight = torch.cat([head.head_weight for head in heads]).to(features.dtype)
    bias = torch.cat([head.head_bias for head in heads]).to(features.dtype)
    logits = torch.addmm(bias, features, weight.T)
    columns, is_own = _columns(heads, residents)
    own = logits.gather(1, send(columns, logits.device))
    return own.masked_fill(~send(is_own, logits.device), -torch.inf)


def _columns(heads: Sequence[Resident], residents: Sequence[Resident]) -> tuple[Tensor, Tensor]:
    """Return which columns of the joined product are each row's, and which of those are real."""
    sizes = torch.tensor([len(head.head_bias) for head in heads])
    starts = sizes.cumsum(0) - sizes
    place = {id(head): i for i, head in enumerate(heads)}
    rows = torch.tensor([place[id(resident)] for resident in residents])
    classes = torch.arange(int(sizes.max()))
    is_own = classes < sizes[rows][:, None]
    return torch.where(is_own, starts[rows][:, None] + classes, 0), is_own
