"""Lloyd's k-means on one layer's tokens held in memory, by matrix products on their device.

Axis letters: T tokens, P clusters, D width.
"""

import math
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int64
from torch import Tensor

_ITERATIONS = 60
_TOLERANCE = 3e-4
"""Stop when an iteration lowers the inertia by less than this share."""
_STARTS = 4
_SAMPLE = 8192
"""Tokens on which the starts are compared; the best goes on with all."""


@dataclass(frozen=True)
class Clusters:
    """Where k-means ended.

    Attributes:
        centres: mean of each cluster.
        sizes: tokens of each cluster.
        inertia: sum of squared distances to the nearest centre.
        reseeded: how often an empty cluster got the farthest token for a new start.
    """

    centres: Float[Tensor, "P D"]
    sizes: Int64[Tensor, " P"]
    inertia: float
    reseeded: int


def k_means(
    tokens: Float[Tensor, "T D"], num_clusters: int, generator: torch.Generator
) -> Clusters:
    """Cluster the tokens, from the best of a few starts by k-means++ (paper eq. 10, 11).

    The paper starts from a uniform partition, whose means all lie near the middle; from
    k-means++ far fewer iterations reach a lower inertia.

    Args:
        tokens: at least as many as clusters.
        num_clusters: P.
        generator: on the CPU; decides the starts.
    """
    middle = tokens.mean(dim=0)
    centred = tokens - middle
    order = torch.randperm(len(tokens), generator=generator)[: max(_SAMPLE, num_clusters)]
    sample = centred[order.to(tokens.device)]
    starts = [descend(sample, _seed(sample, num_clusters, generator)) for _ in range(_STARTS)]
    best = min(starts, key=lambda clusters: clusters.inertia)
    whole = descend(centred, best.centres)
    return replace(whole, centres=whole.centres + middle, reseeded=whole.reseeded + best.reseeded)


def descend(tokens: Float[Tensor, "T D"], centres: Float[Tensor, "P D"]) -> Clusters:
    """Run Lloyd's iterations from these centres; an empty cluster gets the farthest token."""
    previous, reseeded = math.inf, 0
    for _ in range(_ITERATIONS):
        nearest, distance = assign(tokens, centres)
        inertia = float(distance.sum(dtype=torch.float64))
        total, sizes = sums(tokens, nearest, len(centres))
        centres = total / sizes.clamp_min(1)[:, None]
        empty = torch.nonzero(sizes == 0).flatten()
        centres[empty] = tokens[distance.topk(len(empty)).indices]
        reseeded += len(empty)
        if previous - inertia <= _TOLERANCE * inertia and not len(empty):
            break
        previous = inertia
    nearest, distance = assign(tokens, centres)
    sizes = nearest.bincount(minlength=len(centres))
    return Clusters(centres, sizes, float(distance.sum(dtype=torch.float64)), reseeded)


def assign(
    tokens: Float[Tensor, "T D"], centres: Float[Tensor, "P D"]
) -> tuple[Int64[Tensor, " T"], Float[Tensor, " T"]]:
    """Return the nearest centre of each token and the squared distance to it."""
    distance, nearest = _squared_distances(tokens, centres).min(dim=1)
    return nearest, distance


def sums(
    tokens: Float[Tensor, "T D"], nearest: Int64[Tensor, " T"], num_clusters: int
) -> tuple[Float[Tensor, "P D"], Int64[Tensor, " P"]]:
    """Return the sum and the number of tokens of each cluster."""
    members = torch.nn.functional.one_hot(nearest, num_clusters).to(tokens.dtype)
    return members.T @ tokens, nearest.bincount(minlength=num_clusters)


def _squared_distances(
    tokens: Float[Tensor, "T D"], centres: Float[Tensor, "P D"]
) -> Float[Tensor, "T P"]:
    own = tokens.square().sum(dim=1, keepdim=True)
    return torch.addmm(own + centres.square().sum(dim=1), tokens, centres.T, alpha=-2).clamp_min(0)


def _seed(
    tokens: Float[Tensor, "T D"], num_clusters: int, generator: torch.Generator
) -> Float[Tensor, "P D"]:
    """Greedy k-means++ (Arthur and Vassilvitskii 2007): the best of a few draws each time."""
    candidates = 2 + int(math.log(num_clusters))
    first = torch.randint(len(tokens), (1,), generator=generator).to(tokens.device)
    centres = tokens[first]
    distance = (tokens - centres).square().sum(dim=1)
    for _ in range(num_clusters - 1):
        drawn = _draw(distance, candidates, generator)
        offered = _squared_distances(tokens, tokens[drawn]).T.minimum(distance)
        best = offered.sum(dim=1).argmin()
        distance = offered[best]
        centres = torch.cat([centres, tokens[drawn[best]][None]])
    return centres


def _draw(
    weights: Float[Tensor, " T"], count: int, generator: torch.Generator
) -> Int64[Tensor, " count"]:
    """Draw places with chances in proportion to the weights; evenly where all are zero."""
    steps = weights.double().cumsum(dim=0)
    if steps[-1] == 0:
        return torch.randint(len(weights), (count,), generator=generator).to(weights.device)
    at = torch.rand(count, generator=generator, dtype=torch.float64).to(weights.device)
    return torch.searchsorted(steps, at * steps[-1]).clamp_max(len(weights) - 1)
