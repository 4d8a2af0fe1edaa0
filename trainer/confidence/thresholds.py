"""From which probability on an image has a class, for each class of a multi-label task.

Axis letters: N images, C classes.
"""

from typing import Final

import numpy as np
from jaxtyping import Bool, Float
from sklearn.metrics import precision_recall_curve

LEAST_IMAGES: Final = 5
"""Validation images with a class; of fewer its threshold is not chosen."""

USUAL: Final = 0.5


def choose_thresholds(
    scores: Float[np.ndarray, "N C"], has: Bool[np.ndarray, "N C"]
) -> tuple[float, ...]:
    """Return for each class the threshold of the best F1 on these images, to four digits.

    It lies in the middle between two scores. It is `USUAL` where fewer than `LEAST_IMAGES` images
    have the class.
    """
    return tuple(map(_best_f1, scores.T, has.T))


def _best_f1(scores: Float[np.ndarray, " N"], has: Bool[np.ndarray, " N"]) -> float:
    if has.sum() < LEAST_IMAGES:
        return USUAL
    precision, recall, cuts = precision_recall_curve(has, scores)
    both = precision[:-1] + recall[:-1]
    f1 = np.divide(2 * precision[:-1] * recall[:-1], both, out=np.zeros_like(both), where=both > 0)
    best = int(f1.argmax())
    lower = cuts[best - 1] if best else 0.0
    return float(f"{(cuts[best] + lower) / 2:.4g}")
