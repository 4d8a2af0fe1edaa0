"""One class for each image: classes in any order, or ordered ones.

Axis letters: N images, C classes.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from sklearn.metrics import cohen_kappa_score, f1_score, recall_score
from torch import Tensor

from adapters.artifact.target import Ordinal, Target
from adapters.artifact.task import TargetKind
from trainer.confidence.calibration import Calibrated, calibrate, calibration_error, scores_of
from trainer.objectives.objective import Batches, Tested

Logits = Float[Tensor, "N C"]
Labels = Int64[Tensor, " N"]


@dataclass(frozen=True)
class SingleLabel:
    """One of the classes, which have no order."""

    kind: ClassVar[TargetKind] = "single-label"
    metric: ClassVar[str] = "accuracy"
    title: ClassVar[str] = "accuracy"
    published: ClassVar[tuple[str, ...]] = ("test_accuracy", "val_accuracy")
    counts_right: ClassVar[bool] = True

    def loss(self, logits: Logits, labels: Labels, smoothing: float = 0.0) -> Float[Tensor, ""]:
        """Return the cross-entropy."""
        return F.cross_entropy(logits, labels, label_smoothing=smoothing)

    def score(self, logits: Logits, labels: Labels) -> float:
        """Return the share of images whose best class is right."""
        return int((logits.argmax(dim=1) == labels).sum()) / len(labels)

    def calibrate(self, logits: Logits, labels: Labels) -> Calibrated:
        """Fit the temperature of the softmax."""
        return calibrate(logits, labels)

    def target(self, logits: Logits, labels: Labels, temperature: float) -> Target | None:
        """Return None: an artifact without a target is single-label."""
        del logits, labels, temperature
        return None

    def tested(self, batches: Batches, target: Target | None, temperature: float) -> Tested:
        """Return shares of right answers, over all images and by class, and each best class."""
        del target
        columns: dict[str, list[Any]] = defaultdict(list)
        for logits, labels in batches:
            for name, found in self._said(logits, labels, temperature).items():
                columns[name] += found
        plain = columns.pop("plain")
        metrics = self._metrics(columns, torch.tensor(plain))
        rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        return Tested(metrics, rows)

    def _said(self, logits: Logits, labels: Labels, temperature: float) -> dict[str, list[Any]]:
        """Return what is said of images, by name; `plain` is their score without a temperature."""
        return {
            "label": labels.tolist(),
            "predicted": logits.argmax(dim=1).tolist(),
            "score": scores_of(logits, temperature).tolist(),
            "plain": scores_of(logits, 1.0).tolist(),
        }

    def _metrics(
        self, columns: Mapping[str, list[Any]], plain: Float[Tensor, " N"]
    ) -> dict[str, float]:
        names = ("label", "predicted", "score")
        labels, predicted, scores = (torch.tensor(columns[name]) for name in names)
        is_right = labels == predicted
        return {
            "test_accuracy": int(is_right.sum()) / len(labels),
            "test_mean_class_accuracy": _macro(recall_score, labels, predicted),
            "test_macro_f1": _macro(f1_score, labels, predicted),
            "test_calibration_error": calibration_error(scores, is_right),
            "test_calibration_error_before": calibration_error(plain, is_right),
        }


@dataclass(frozen=True)
class OrderedClasses(SingleLabel):
    """One of classes that lie on a line, at rising values.

    The head is that of a single label, so its probabilities are calibrated in the same way. The
    loss is the cross-entropy, plus what a wrong class costs by its distance: the ranked probability
    score `sum_k (P(y <= k) - [y <= k])²` (Epstein, "A Scoring System for Probability Forecasts of
    Ranked Categories", 1969). Both are least for the true probabilities, and so is their sum.

    Attributes:
        values: of each class.
    """

    kind: ClassVar[TargetKind] = "ordinal"
    published: ClassVar[tuple[str, ...]] = ("test_accuracy", "test_mae", "val_accuracy")
    values: tuple[float, ...]

    def loss(self, logits: Logits, labels: Labels, smoothing: float = 0.0) -> Float[Tensor, ""]:
        """Return cross-entropy and ranked probability score."""
        below = logits.softmax(dim=1).cumsum(dim=1)[:, :-1]
        places = torch.arange(below.shape[1], device=labels.device)
        is_below = (labels[:, None] <= places).to(below.dtype)
        entropy = super().loss(logits, labels, smoothing)
        return entropy + (below - is_below).square().sum(dim=1).mean()

    def target(self, logits: Logits, labels: Labels, temperature: float) -> Ordinal:
        """Return the classes' values."""
        del logits, labels, temperature
        return Ordinal(values=self.values)

    def _said(self, logits: Logits, labels: Labels, temperature: float) -> dict[str, list[Any]]:
        values = Ordinal(values=self.values).value(logits.numpy(), temperature)
        return super()._said(logits, labels, temperature) | {"value": values.tolist()}

    def _metrics(
        self, columns: Mapping[str, list[Any]], plain: Float[Tensor, " N"]
    ) -> dict[str, float]:
        """Return also how far values are from those of the classes, and Cohen's weighted kappa."""
        labels, places = columns["label"], range(len(self.values))
        errors = [
            abs(value - self.values[int(label)])
            for value, label in zip(columns["value"], labels, strict=True)
        ]
        kappa = cohen_kappa_score(labels, columns["predicted"], labels=places, weights="quadratic")
        return super()._metrics(columns, plain) | {
            "test_mae": fmean(errors),
            # of classes without a spread nothing agrees beyond chance
            "test_quadratic_kappa": 0.0 if math.isnan(kappa) else float(kappa),
        }


def _macro(score: Callable[..., Any], labels: Tensor, predicted: Tensor) -> float:
    """Return the mean of a score over the classes that have test images."""
    known = labels.unique()
    return float(score(labels, predicted, labels=known, average="macro", zero_division=0))
