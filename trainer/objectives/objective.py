"""What a kind of target decides in a run; each kind has a file of its own.

Axis letters: N images, O outputs of the head: C classes, or one number.
"""

from collections.abc import Iterable
from typing import Any, ClassVar, NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from adapters.artifact.target import Target
from adapters.artifact.task import TargetKind
from trainer.confidence.calibration import Calibrated

Batches = Iterable[tuple[Tensor, Tensor]]
"""Logits `[B, O]` and labels of a few images at a time, on the CPU."""


class Tested(NamedTuple):
    """What a test set says.

    Attributes:
        metrics: as `metrics.json` has them.
        rows: for each image what it is, and what the model says of it.
    """

    metrics: dict[str, Any]
    rows: list[dict[str, Any]]


@runtime_checkable
class Objective(Protocol):
    """What is minimised and measured.

    Attributes:
        kind: of target.
        metric: of its headline, as files name it: `test_<metric>`, `val_<metric>`.
        title: of the same, as people name it.
        published: metrics that the artifact has.
        counts_right: whether that metric is the share of images whose best class is right.
    """

    kind: ClassVar[TargetKind]
    metric: ClassVar[str]
    title: ClassVar[str]
    published: ClassVar[tuple[str, ...]]
    counts_right: ClassVar[bool]

    def loss(
        self, logits: Float[Tensor, "N O"], labels: Tensor, smoothing: float = 0.0
    ) -> Float[Tensor, ""]:
        """Return the mean loss of images.

        Args:
            logits: of the head.
            labels: classes `[N]`, or targets `[N, O]` as samples have them.
            smoothing: share of a label that all classes have; for targets with one class alone.
        """

    def score(self, logits: Float[Tensor, "N O"], labels: Tensor) -> float:
        """Return the headline's metric; higher is better, 1 the best."""

    def calibrate(self, logits: Float[Tensor, "N O"], labels: Tensor) -> Calibrated:
        """Fit a temperature on validation images, where the kind has probabilities."""

    def target(
        self, logits: Float[Tensor, "N O"], labels: Tensor, temperature: float
    ) -> Target | None:
        """Return what the artifact says of its logits, by validation images where it is chosen."""

    def tested(self, batches: Batches, target: Target | None, temperature: float) -> Tested:
        """Score test images as they are answered, by logits and labels of some after the other."""


def joined(batches: Batches) -> tuple[Float[Tensor, "N O"], Tensor]:
    """Return logits and labels of all images."""
    logits, labels = zip(*batches, strict=True)
    return torch.cat(logits), torch.cat(labels)
