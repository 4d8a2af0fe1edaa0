"""A threshold below which images are called unknown, and how well it tells them from others.

Axis letters: N images of the task, M images of another one.
"""

import numpy as np
from jaxtyping import Float
from sklearn.metrics import roc_auc_score

from adapters.artifact.unknown import UnknownRule

Energies = Float[np.ndarray, " N"]


def choose_threshold(known: Energies, share: float) -> UnknownRule:
    """Return the rule that calls this share of validation images unknown, rounded down.

    Args:
        known: their energies; all are images of the task, so what is rejected is so falsely.
        share: in [0, 1).
    """
    threshold = float(np.sort(known)[int(share * len(known))])
    rejected = float((known < threshold).mean())
    return UnknownRule(threshold=threshold, images=len(known), false_reject_rate=rejected)


def auroc(known: Energies, others: Float[np.ndarray, " M"]) -> float:
    """Return how often an image of the task has more energy than one of another task."""
    is_known = np.concatenate([np.ones(len(known)), np.zeros(len(others))])
    return float(roc_auc_score(is_known, np.concatenate([known, others])))
