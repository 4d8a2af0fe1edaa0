"""SPT by k-means over every token of a layer, in one pass and bounded memory (paper eq. 10 to 12).

Axis letters: B batch, N patches, P prompts, D width.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from trainer.inits.lloyd import Clusters, assign, k_means, sums

KEPT_BYTES = 1 << 30
"""Tokens of all layers together that are held for the first clustering, at most."""

KEPT_TOKENS = 32768
"""Tokens of one layer that are held, at most; more gave no lower inertia."""

OUTLIER_NORM = 4.0
"""A token whose norm is more than this many times the median is an outlier."""


class ClusterMeans:
    """K-means of a layer's tokens: Lloyd's on the first of them, then each further batch once.

    The images come in random order, so the first tokens are a fair sample. Every further token
    moves its nearest centre to the mean of all that were ever assigned to it (MacQueen 1967,
    batch by batch), so each token of the layer counts once.
    """

    def __init__(
        self,
        num_tokens: int,
        kept_bytes: int,
        generator: torch.Generator,
        *,
        leave_outliers: bool = False,
    ) -> None:
        self._num_tokens, self._kept_bytes, self._generator = num_tokens, kept_bytes, generator
        self._leave_outliers = leave_outliers
        self._kept: list[Tensor] = []
        self._clusters: Clusters | None = None
        self._limit = torch.inf
        self._outliers = 0

    def add(self, tokens: Float[Tensor, "B N D"]) -> None:
        """Keep the tokens until there are enough for a first clustering; then move the centres."""
        rows = tokens.flatten(0, 1)
        if self._clusters is not None:
            self._move(self._without_outliers(rows), self._clusters)
            return
        self._kept.append(rows)
        if self._is_enough():
            self._start()

    def finish(self) -> Float[Tensor, "P D"]:
        """Return the centres."""
        return self._started().centres

    def facts(self) -> dict[str, object]:
        """Return cluster sizes and what was out of the ordinary."""
        clusters = self._started()
        return {
            "cluster_sizes": clusters.sizes.tolist(),
            "reseeded": clusters.reseeded,
            "outliers": self._outliers,
        }

    def _is_enough(self) -> bool:
        kept, size = sum(map(len, self._kept)), sum(rows.nbytes for rows in self._kept)
        latest = self._kept[-1]
        return kept + len(latest) > KEPT_TOKENS or size + latest.nbytes > self._kept_bytes

    def _started(self) -> Clusters:
        return self._clusters or self._start()

    def _start(self) -> Clusters:
        rows = torch.cat(self._kept)
        self._kept.clear()
        self._limit = OUTLIER_NORM * float(rows.norm(dim=1).median())
        rows = self._without_outliers(rows)
        self._clusters = k_means(rows, self._num_tokens, self._generator)
        return self._clusters

    def _without_outliers(self, rows: Float[Tensor, "T D"]) -> Float[Tensor, "_ D"]:
        ordinary = rows.norm(dim=1) <= self._limit
        self._outliers += len(rows) - int(ordinary.sum())
        return rows[ordinary] if self._leave_outliers else rows

    def _move(self, rows: Float[Tensor, "T D"], clusters: Clusters) -> None:
        nearest, distance = assign(rows, clusters.centres)
        total, added = sums(rows, nearest, self._num_tokens)
        sizes = clusters.sizes + added
        step = (total - added[:, None] * clusters.centres) / sizes.clamp_min(1)[:, None]
        inertia = clusters.inertia + float(distance.sum(dtype=torch.float64))
        self._clusters = Clusters(clusters.centres + step, sizes, inertia, clusters.reseeded)
