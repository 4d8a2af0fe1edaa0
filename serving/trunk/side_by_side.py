"""A batch on the CPU: its rows side by side, one core for each share of them.

A forward spread over all cores waits for the slowest of them after every layer, and what it
writes there is too large for a core's cache. A core that computes some rows from end to end does
neither. A batch with too few rows is not split: its rows then have all the cores.
Axis letter: B batch.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from math import ceil

import torch
from jaxtyping import Float
from torch import Tensor

from adapters.vit.prompting import DeepPrompts, Prompts, ShallowPrompts

Rows = Float[Tensor, "B ..."]
Forward = Callable[[Tensor, Prompts], Tensor]


class SideBySide:
    """One thread for each core that torch uses.

    Args:
        least_rows: of one share, or the batch is not split.
        most_rows: of one share; more shares than cores take turns. None makes one for each core.
    """

    def __init__(self, *, least_rows: int = 1, most_rows: int | None = None) -> None:
        self.num_cores = torch.get_num_threads()
        self._least_rows = least_rows
        self._most_rows = most_rows
        self._pool = ThreadPoolExecutor(
            self.num_cores, "rows", initializer=torch.set_num_threads, initargs=(1,)
        )

    def splits(self, rows: int) -> bool:
        """Whether a batch of this many rows is computed in shares."""
        return self.num_cores > 1 and rows >= self.num_cores * self._least_rows

    def run(self, forward: Forward, rows: Rows, prompts: Prompts) -> Rows:
        """Return the forward of all rows, computed in shares if the batch `splits`.

        Args:
            forward: called once per share, on one core; or once here, on all of them.
            rows: pixels or tokens.
            prompts: of the same rows.
        """
        if not self.splits(len(rows)):
            if torch.get_num_threads() != self.num_cores:
                torch.set_num_threads(self.num_cores)  # a new thread has what was set last anywhere
            return forward(rows, prompts)
        count = self._num_shares(len(rows))
        shares = zip(rows.tensor_split(count), split_prompts(prompts, count), strict=True)
        running = [self._pool.submit(_without_gradients, forward, *share) for share in shares]
        return torch.cat([share.result() for share in running])

    def run_one(self, forward: Forward, rows: Rows, prompts: Prompts) -> Rows:
        """Return the forward of one share, computed as `run` would, on one core."""
        return self._pool.submit(_without_gradients, forward, rows, prompts).result()

    def largest_whole(self, rows: int) -> int:
        """Return the most rows of an unsplit batch, where none has more than `rows`."""
        return self.num_cores * self._least_rows - 1 if self.splits(rows) else rows

    def largest_share(self, rows: int) -> int:
        """Return the most rows of one share, where no batch has more than `rows`."""
        return ceil(rows / self._num_shares(rows)) if self.splits(rows) else 0

    def _num_shares(self, rows: int) -> int:
        turns = 1
        if self._most_rows is not None:
            turns = ceil(rows / (self._most_rows * self.num_cores))
        return min(turns * self.num_cores, rows)


def split_prompts(prompts: Prompts, count: int) -> list[Prompts]:
    """Split the rows as `Tensor.tensor_split` does."""
    if prompts is None:
        return [None] * count
    if isinstance(prompts, ShallowPrompts):
        return [ShallowPrompts(tokens) for tokens in prompts.tokens.tensor_split(count)]
    tensors = [getattr(prompts, field.name) for field in fields(prompts)]
    parts = [[None] * count if one is None else one.tensor_split(count) for one in tensors]
    return [DeepPrompts(*share) for share in zip(*parts, strict=True)]


@torch.inference_mode()
def _without_gradients(forward: Forward, rows: Tensor, prompts: Prompts) -> Tensor:
    return forward(rows, prompts)
