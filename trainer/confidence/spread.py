"""How the features of training images spread: a probabilistic PCA. Axis letters: N images, D width.

Its directions are those of the largest variances; all others share the mean of theirs.
"""

from typing import Final

import numpy as np
from jaxtyping import Float32

from adapters.artifact.unknown import Spread, unit_length

DIRECTIONS: Final = 32
"""At most; an artifact has that many rows of numbers, and one more for the mean."""

_ROUNDING: Final = 1e-6
"""Deviation of a float32 feature of length 1 that means nothing."""


def fit_spread(features: Float32[np.ndarray, "N D"]) -> Spread:
    """Return the spread of the features of a task's training images, one at least."""
    exact = unit_length(features)
    mean = exact.mean(axis=0)
    _, singular, rows = np.linalg.svd(exact - mean, full_matrices=False)
    variances = singular**2
    kept = max(1, min(DIRECTIONS, len(variances) - 2))
    mean_outside = variances[kept:].sum() / max(1, exact.shape[1] - kept)
    outside = max(mean_outside, len(exact) * _ROUNDING**2)
    shares = outside / np.maximum(variances[:kept], outside)
    # of a direction and its opposite always the same one, or the same images give two artifacts
    largest = np.abs(rows[:kept]).argmax(axis=1)
    signs = np.sign(rows[np.arange(kept), largest])
    directions = rows[:kept] * (signs * np.sqrt(1 - shares))[:, None]
    return Spread(mean.astype(np.float32), directions.astype(np.float32))
