"""Any number of classes for each image: every class is a question of its own.

Axis letters: N images, C classes.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch.nn.functional as F
from jaxtyping import Bool, Float
from sklearn.metrics import average_precision_score, f1_score, precision_score, recall_score
from torch import Tensor

from adapters.artifact.target import MultiLabel, Target
from adapters.artifact.task import TargetKind
from trainer.confidence.calibration import Calibrated, calibrate_each, calibration_error, each_score
from trainer.confidence.thresholds import choose_thresholds
from trainer.objectives.objective import Batches, Tested, joined

Logits = Float[Tensor, "N C"]
Marks = Float[Tensor, "N C"]
"""1 for each class that an image has, else 0."""

_Scores = Float[np.ndarray, "N C"]
_Has = Bool[np.ndarray, "N C"]


@dataclass(frozen=True)
class SeveralLabels:
    """The mean binary cross-entropy of all classes; scored by the mean average precision."""

    class_names: tuple[str, ...]
    kind: ClassVar[TargetKind] = "multi-label"
    metric: ClassVar[str] = "map"
    title: ClassVar[str] = "mAP"
    published: ClassVar[tuple[str, ...]] = ("test_map", "test_micro_f1", "val_map")
    counts_right: ClassVar[bool] = False

    def loss(self, logits: Logits, labels: Marks, smoothing: float = 0.0) -> Float[Tensor, ""]:
        """Return the binary cross-entropy of sigmoids."""
        del smoothing
        return F.binary_cross_entropy_with_logits(logits, labels.to(logits.dtype))

    def score(self, logits: Logits, labels: Marks) -> float:
        """Return the mean of the average precision over classes that an image has."""
        found = list(_average_precisions(logits.numpy(), labels.numpy() > 0).values())
        return float(np.mean(found)) if found else 0.0

    def calibrate(self, logits: Logits, labels: Marks) -> Calibrated:
        """Fit the temperature of the sigmoids."""
        return calibrate_each(logits, labels)

    def target(self, logits: Logits, labels: Marks, temperature: float) -> MultiLabel:
        """Choose each class's threshold."""
        halves = MultiLabel(thresholds=(0.5,) * logits.shape[1])
        scores = halves.probabilities(logits.numpy(), temperature)
        return MultiLabel(thresholds=choose_thresholds(scores, labels.numpy() > 0))

    def tested(self, batches: Batches, target: Target | None, temperature: float) -> Tested:
        """Return mAP, F1 and exact matches at the thresholds, and the same by class."""
        if not isinstance(target, MultiLabel):
            raise TypeError(f"expected thresholds, found {target}")
        logits, labels = joined(batches)
        scores, has = target.probabilities(logits.numpy(), temperature), labels.numpy() > 0
        says = target.has(scores)
        known = has.any(axis=0)
        each = each_score(logits, temperature), each_score(logits, 1.0)
        marks = (labels > 0).flatten()
        metrics = {
            "test_map": self.score(logits, labels),
            "test_micro_f1": float(f1_score(has, says, average="micro", zero_division=0)),
            "test_macro_f1": float(
                f1_score(has[:, known], says[:, known], average="macro", zero_division=0)
            )
            if known.any()
            else 0.0,
            "test_exact_match": float((has == says).all(axis=1).mean()),
            "test_calibration_error": calibration_error(each[0], marks),
            "test_calibration_error_before": calibration_error(each[1], marks),
            "class_scores": self._by_class(logits.numpy(), has, says, target),
        }
        return Tested(metrics, [_row(*one) for one in zip(has, says, scores, strict=True)])

    def _by_class(
        self, logits: _Scores, has: _Has, says: _Has, target: MultiLabel
    ) -> list[dict[str, Any]]:
        precisions = _average_precisions(logits, has)
        by_class = {"average": None, "zero_division": 0}
        found = (
            self.class_names,
            has.sum(axis=0).tolist(),
            [precisions.get(place) for place in range(has.shape[1])],
            np.atleast_1d(precision_score(has, says, **by_class)).tolist(),
            np.atleast_1d(recall_score(has, says, **by_class)).tolist(),
            target.thresholds,
        )
        names = ("name", "images", "average_precision", "precision", "recall", "threshold")
        return [dict(zip(names, one, strict=True)) for one in zip(*found, strict=True)]


def _average_precisions(logits: _Scores, has: _Has) -> dict[int, float]:
    """Return the average precision of each class that an image has."""
    return {
        place: float(average_precision_score(has[:, place], logits[:, place]))
        for place in np.flatnonzero(has.any(axis=0)).tolist()
    }


def _row(
    has: Bool[np.ndarray, " C"], says: Bool[np.ndarray, " C"], scores: Float[np.ndarray, " C"]
) -> dict[str, Any]:
    told = np.flatnonzero(has | says).tolist()
    return {
        "labels": np.flatnonzero(has).tolist(),
        "predicted": np.flatnonzero(says).tolist(),
        "scores": [[place, float(scores[place])] for place in told],
    }
