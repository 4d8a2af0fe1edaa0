"""What a task's logits stand for where they are no choice of one class: a part of its artifact.

Without such a part a task is single-label: its scores are the softmax of its logits. Training,
reports and the service read logits by these methods alone, so their answers are the same.
Axis letters: C classes.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, model_validator

MOST: Final = 1e100
"""Of a number that is learned, on either side of 0, so that every answer is finite."""

Numbers = NDArray[np.floating[Any]]
Exact = NDArray[np.float64]


class _Target(BaseModel):
    # it decides what is answered: a reader that does not know a field refuses the artifact
    model_config = ConfigDict(frozen=True, extra="forbid")


class MultiLabel(_Target):
    """An image has any number of the classes; each is a question of its own."""

    kind: Literal["multi-label"] = "multi-label"
    thresholds: tuple[Annotated[float, Field(ge=0, le=1)], ...] = Field(
        description="of each class, in label order: from which probability on an image has it"
    )

    def probabilities(self, logits: Numbers, temperature: float) -> Exact:
        """Return the sigmoid of logits `[…, C]` over the temperature: that of each class."""
        halved = logits.astype(np.float64) / (2 * temperature)
        return np.asarray((1 + np.tanh(halved)) / 2)  # the sigmoid, without overflow

    def has(self, probabilities: Exact) -> NDArray[np.bool_]:
        """Return which classes `[…, C]` images have."""
        return np.asarray(probabilities >= np.array(self.thresholds))


class Regression(_Target):
    """An image has a number; the head gives it standardised."""

    kind: Literal["regression"] = "regression"
    mean: float = Field(ge=-MOST, le=MOST, description="of the training images' numbers")
    scale: float = Field(gt=0, le=MOST, description="their standard deviation")

    def value(self, logits: Numbers) -> Exact:
        """Return the numbers `[…]` of logits `[…, 1]`, in the unit of the labels."""
        return np.asarray(self.mean + self.scale * logits[..., 0].astype(np.float64))


class Ordinal(_Target):
    """An image has one class, and the classes lie in their order on a line."""

    kind: Literal["ordinal"] = "ordinal"
    values: tuple[FiniteFloat, ...] = Field(
        min_length=2,
        description="of each class, in label order: where it lies, each above the one before",
    )

    @model_validator(mode="after")
    def _rises(self) -> "Ordinal":
        if not all(low < high for low, high in pairwise(self.values)):
            raise ValueError("values of ordered classes do not rise")
        return self

    def value(self, logits: Numbers, temperature: float) -> Exact:
        """Return the expected value `[…]` under the calibrated probabilities of logits `[…, C]`.

        Rothe et al., "Deep Expectation of Real and Apparent Age", 2018.
        """
        return np.asarray(softmax(logits, temperature) @ np.array(self.values))


Target = Annotated[MultiLabel | Regression | Ordinal, Field(discriminator="kind")]


def softmax(logits: Numbers, temperature: float) -> Exact:
    """Return the probabilities of one class among all, of logits `[…, C]` over the temperature."""
    scaled = logits.astype(np.float64) / temperature
    powers = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def group_scores(groups: Sequence[str], probabilities: Exact) -> dict[str, float]:
    """Return each group's probability, the likeliest first.

    Args:
        groups: of each class, in label order.
        probabilities: of one image's classes `[C]`; they sum to 1.
    """
    found = dict.fromkeys(groups, 0.0)
    for group, probability in zip(groups, probabilities.tolist(), strict=True):
        found[group] += probability
    return {group: min(1.0, found[group]) for group in sorted(found, key=lambda g: (-found[g], g))}
