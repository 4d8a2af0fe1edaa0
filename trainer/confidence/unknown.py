"""A threshold below which images are called unknown, and how well it tells them from others.

Axis letters: N images of the task, M images of another one.
"""

import numpy as np
from jaxtyping import Float
from sklearn.metrics import roc_auc_score

from adapters.artifact.unknown import ScoreName, UnknownRule

Scores = Float[np.ndarray, " N"]


def choose_threshold(score: ScoreName, known: Scores, share: float) -> UnknownRule:
    """Return the rule that calls this share of validation images unknown, rounded down.

    Args:
        score: what images are compared by.
        known: the images' own; all are images of the task, so what is rejected is so falsely.
        share: in [0, 1).
    """
    threshold = float(np.sort(known)[int(share * len(known))])
    rejected = float((known < threshold).mean())
    return UnknownRule(
        score=score, threshold=threshold, images=len(known), false_reject_rate=rejected
    )


def auroc(known: Scores, others: Float[np.ndarray, " M"]) -> float:
    """Return how often an image of the task has a higher score than one of another task."""
    is_known = np.concatenate([np.ones(len(known)), np.zeros(len(others))])
    return float(roc_auc_score(is_known, np.concatenate([known, others])))
