"""When a task says that an image is none of its classes: where a score of it is too low.

`energy` is that of Liu et al., "Energy-based Out-of-distribution Detection", 2020, with its sign
turned: `T log(sum(exp(z / T)))`. `probability` is the best class's, Hendrycks and Gimpel, "A
Baseline for Detecting Misclassified and Out-of-Distribution Examples", 2017. `distance` is that of
the image's feature from those of the training images, with its sign turned, see `Spread`.
Axis letters: C classes, D width, K directions.
"""

from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

ScoreName = Literal["energy", "probability", "distance"]


def unit_length(features: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Return features `[…, D]` of length 1, in the same directions; 0 where there is none."""
    exact = features.astype(np.float64)
    length = np.linalg.norm(exact, axis=-1, keepdims=True)
    return np.asarray(exact / np.maximum(length, np.finfo(np.float64).tiny))


class Spread(NamedTuple):
    """How the features of a task's training images spread, as a probabilistic PCA tells it.

    Tipping and Bishop, "Probabilistic Principal Component Analysis", 1999. Mahalanobis' distance
    to tell what is unknown is from Lee et al., "A Simple Unified Framework for Detecting
    Out-of-Distribution Samples and Adversarial Attacks", 2018; features of length 1 are from
    Mueller and Hein, "Mahalanobis++: Improving OOD Detection via Feature Normalization", 2025.

    Attributes:
        mean: `[D]`, of features of length 1.
        directions: `[K, D]`: orthogonal, shorter than 1, the longer the wider features spread.
    """

    mean: NDArray[np.float32]
    directions: NDArray[np.float32]

    def distance(self, features: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """Return Mahalanobis' distance of features `[…, D]`, squared.

        Its unit is the standard deviation outside of the directions, not told by the spread.
        """
        apart = unit_length(features) - self.mean
        along = apart @ self.directions.T.astype(np.float64)
        return np.asarray((apart**2).sum(axis=-1) - (along**2).sum(axis=-1))


def known_score(
    name: ScoreName,
    logits: NDArray[np.floating[Any]],
    temperature: float,
    distance: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """Return a score that is high for what looks like one of the classes.

    Args:
        name: which one.
        logits: `[…, C]`.
        temperature: of the task.
        distance: `[…]`, where the score is that one.
    """
    if name == "distance":
        assert distance is not None
        return np.asarray(-distance)
    scaled = logits.astype(np.float64) / temperature
    highest = scaled.max(axis=-1)
    total = np.exp(scaled - highest[..., None]).sum(axis=-1)
    if name == "probability":
        return np.asarray(1 / total)
    return np.asarray(temperature * (highest + np.log(total)))


class UnknownRule(BaseModel):
    """Images whose score is below the threshold are unknown."""

    model_config = ConfigDict(frozen=True)

    score: ScoreName
    threshold: float = Field(allow_inf_nan=False)
    images: int = Field(ge=1, description="validation images that it was chosen on")
    false_reject_rate: float = Field(
        ge=0, le=1, description="share of those images that it calls unknown"
    )

    def rejects(
        self,
        logits: NDArray[np.floating[Any]],
        temperature: float,
        distance: NDArray[np.float64] | None = None,
    ) -> NDArray[np.bool_]:
        """Return whether images are unknown; arguments as those of `known_score`."""
        return np.asarray(known_score(self.score, logits, temperature, distance) < self.threshold)
