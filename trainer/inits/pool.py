"""SPT by mean or max pooling (paper 3.4), over the batch as printed, or per image as coded.

Axis letters: B batch, N patches, P prompts, D width, W windows of an image.
"""

from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from trainer.inits.sample import RandomSample

Pool = Literal["mean", "max"]


class BatchPool:
    """Pooling of all tokens in one row, image after image, with kernel and stride floor(T / P).

    The paper pools "the whole batch"; tokens beyond `P` windows are left out, as its kernel has
    it. Sums are kept in float64.
    """

    def __init__(self, total: int, num_tokens: int, pool: Pool) -> None:
        self._kernel, self._num_tokens, self._pool = total // num_tokens, num_tokens, pool
        self._seen = 0
        self._pooled: Tensor | None = None

    def add(self, tokens: Float[Tensor, "B N D"]) -> None:
        """Add the tokens to the windows they fall into."""
        rows = tokens.flatten(0, 1)
        window = torch.arange(self._seen, self._seen + len(rows)) // self._kernel
        for index in window.unique().tolist():
            if index < self._num_tokens:
                self._merge(index, rows[(window == index).to(rows.device)])
        self._seen += len(rows)

    def finish(self) -> Float[Tensor, "P D"]:
        """Return one pooled token per window."""
        assert self._pooled is not None, "no token was added"
        pooled = self._pooled / self._kernel if self._pool == "mean" else self._pooled
        return pooled.float()

    def facts(self) -> dict[str, object]:
        """Return the length of a window."""
        return {"window": self._kernel}

    def _merge(self, index: int, rows: Float[Tensor, "_ D"]) -> None:
        if self._pooled is None:
            start = 0.0 if self._pool == "mean" else -torch.inf
            self._pooled = rows.new_full(
                (self._num_tokens, rows.shape[1]), start, dtype=torch.float64
            )
        if self._pool == "mean":
            self._pooled[index] += rows.double().sum(dim=0)
        else:
            self._pooled[index] = torch.maximum(self._pooled[index], rows.double().amax(dim=0))


class ImagePool:
    """Pooling inside each image, then a random choice among all pooled tokens (official code).

    An image's tokens, in raster order, fall into windows of `N // (P - 1)` and one shorter window
    of what is left.
    """

    def __init__(
        self, shape: tuple[int, int], num_tokens: int, pool: Pool, generator: np.random.Generator
    ) -> None:
        images, patches = shape
        self._window = max(1, patches // max(1, num_tokens - 1))
        self._pool = pool
        windows = -(-patches // self._window)
        self._sample = RandomSample(images * windows, num_tokens, generator)

    def add(self, tokens: Float[Tensor, "B N D"]) -> None:
        """Pool each image and offer what results to the draw."""
        parts = tokens.split(self._window, dim=1)
        pooled = [p.mean(dim=1) if self._pool == "mean" else p.amax(dim=1) for p in parts]
        self._sample.add(torch.stack(pooled, dim=1))

    def finish(self) -> Float[Tensor, "P D"]:
        """Return the chosen pooled tokens."""
        return self._sample.finish()

    def facts(self) -> dict[str, object]:
        """Return the length of a window."""
        return {"window": self._window}
