"""When a task says that an image is none of its classes: where a score of its logits is too low.

`energy` is that of Liu et al., "Energy-based Out-of-distribution Detection", 2020, with its sign
turned: `T log(sum(exp(z / T)))`. `probability` is the best class's, Hendrycks and Gimpel, "A
Baseline for Detecting Misclassified and Out-of-Distribution Examples", 2017.
Axis letters: C classes.
"""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

ScoreName = Literal["energy", "probability"]


def known_score(
    name: ScoreName, logits: NDArray[np.floating[Any]], temperature: float
) -> NDArray[np.float64]:
    """Return a score of logits `[…, C]` that is high for what looks like one of the classes."""
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

    def rejects(self, logits: NDArray[np.floating[Any]], temperature: float) -> NDArray[np.bool_]:
        """Return whether images are unknown, by their logits `[…, C]`."""
        return np.asarray(known_score(self.score, logits, temperature) < self.threshold)
