"""A number for each image, standardised by the training images' mean and deviation.

Axis letters: N images.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean, pstdev
from typing import ClassVar

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from adapters.artifact.target import Regression, Target
from adapters.artifact.task import TargetKind
from trainer.confidence.calibration import Calibrated
from trainer.objectives.objective import Batches, Tested, joined

Logits = Float[Tensor, "N 1"]
Numbers = Float[Tensor, "N 1"]


@dataclass(frozen=True)
class Number:
    """The squared error of the standardised number; scored by the coefficient of determination.

    Attributes:
        scale: that of the training images' numbers.
    """

    scale: Regression
    kind: ClassVar[TargetKind] = "regression"
    metric: ClassVar[str] = "r2"
    title: ClassVar[str] = "R²"
    published: ClassVar[tuple[str, ...]] = ("test_mae", "test_r2", "val_r2")
    counts_right: ClassVar[bool] = False

    @classmethod
    def of(cls, numbers: Iterable[float]) -> "Number":
        """Return the objective of training images with these numbers, not all of them equal."""
        own = list(numbers)
        return cls(Regression(mean=fmean(own), scale=pstdev(own)))

    def loss(self, logits: Logits, labels: Numbers, smoothing: float = 0.0) -> Float[Tensor, ""]:
        """Return the mean squared error, in squares of the scale."""
        del smoothing
        standardised = (labels - self.scale.mean) / self.scale.scale
        return F.mse_loss(logits, standardised.to(logits.dtype))

    def score(self, logits: Logits, labels: Numbers) -> float:
        """Return R², 1 minus the squared error over the numbers' own spread.

        Where they have no spread it is 0, or 1 if all are right.
        """
        errors, own = self._errors(logits, labels), labels.double().flatten()
        spread = float((own - own.mean()).square().sum())
        missed = float(errors.square().sum())
        return 1 - missed / spread if spread else float(not missed)

    def calibrate(self, logits: Logits, labels: Numbers) -> Calibrated:
        """Return why there is no temperature."""
        del logits, labels
        return Calibrated(None, "a number has no probability")

    def target(self, logits: Logits, labels: Numbers, temperature: float) -> Regression:
        """Return how the head's output becomes a number."""
        del logits, labels, temperature
        return self.scale

    def tested(self, batches: Batches, target: Target | None, temperature: float) -> Tested:
        """Return the errors, in the unit of the labels and as R²."""
        del target, temperature
        logits, labels = joined(batches)
        errors = self._errors(logits, labels)
        metrics = {
            "test_r2": self.score(logits, labels),
            "test_mae": float(errors.abs().mean()),
            "test_rmse": float(errors.square().mean().sqrt()),
            "scale": self.scale.scale,
        }
        pairs = zip(labels.flatten().tolist(), self._values(logits).tolist(), strict=True)
        return Tested(metrics, [{"value": own, "predicted": said} for own, said in pairs])

    def _errors(self, logits: Logits, labels: Numbers) -> Float[Tensor, " N"]:
        return self._values(logits) - labels.double().flatten()

    def _values(self, logits: Logits) -> Float[Tensor, " N"]:
        return self.scale.mean + self.scale.scale * logits.double().flatten()
