"""When a task says that an image is none of its classes: by the energy of its logits.

Liu et al., "Energy-based Out-of-distribution Detection", 2020. Axis letters: C classes.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field


def energy(logits: NDArray[np.floating[Any]], temperature: float) -> NDArray[np.float64]:
    """Return `T log(sum(exp(z / T)))` of logits `[…, C]`: high for what looks like a class.

    Liu et al. call this the negative energy.
    """
    scaled = logits.astype(np.float64) / temperature
    highest = scaled.max(axis=-1)
    total = np.exp(scaled - highest[..., None]).sum(axis=-1)
    return np.asarray(temperature * (highest + np.log(total)))


class UnknownRule(BaseModel):
    """Images whose energy is below the threshold are unknown."""

    model_config = ConfigDict(frozen=True)

    threshold: float = Field(allow_inf_nan=False)
    images: int = Field(ge=1, description="validation images that it was chosen on")
    false_reject_rate: float = Field(
        ge=0, le=1, description="share of those images that it calls unknown"
    )
