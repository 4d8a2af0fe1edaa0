"""Score a trained model on a split. Axis letters: B batch, C classes."""

from collections.abc import Callable, Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from trainer.objectives.objective import Objective, joined
from trainer.training import distributed
from trainer.training.images import Split, batches

Forward = Callable[[Tensor], Tensor]


def accuracy(forward: Forward, split: Split, batch_size: int) -> float:
    """Return the share of a split's images whose best class is right, in [0, 1]."""
    right = torch.zeros((), dtype=torch.int64)
    with torch.no_grad():
        for inputs, labels in batches(split, batch_size, shared=True):
            right += (forward(inputs).argmax(dim=1).cpu() == labels).sum()
    return int(distributed.total(right)) / len(split)


def validation_score(
    objective: Objective, forward: Forward, split: Split, batch_size: int
) -> float:
    """Return the objective's own metric of a split; higher is better, 1 the best."""
    if objective.counts_right:
        return accuracy(forward, split, batch_size)
    # no sum over images gives it, so every process looks at all of them
    return objective.score(*joined(logits_of(forward, split, batch_size)))


def logits_of(
    forward: Forward, split: Split, batch_size: int
) -> Iterator[tuple[Float[Tensor, "B C"], Tensor]]:
    """Yield logits and labels of every image, in order, on the CPU."""
    with torch.no_grad():
        for inputs, labels in batches(split, batch_size):
            yield forward(inputs).cpu(), labels
