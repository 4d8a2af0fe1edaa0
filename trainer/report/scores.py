"""What test predictions say: intervals, classes, confusions. Draws nothing."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from trainer.report.record import Prediction

Z95: Final = 1.959963984540054
"""Standard normal deviate of a two-sided 95% interval."""

Counts = Mapping[tuple[int, int], int]
"""(label, predicted): number of test images."""


def wilson_interval(right: int, total: int) -> tuple[float, float]:
    """Return the 95% Wilson score interval of a proportion, as shares of 1.

    `(p + z²/2n ± z sqrt(p(1 - p)/n + z²/4n²)) / (1 + z²/n)` with `p = right / total` (Wilson,
    "Probable inference", 1927). Unlike the normal approximation it never leaves [0, 1].

    Raises:
        ValueError: `total` is not positive, or `right` not within 0 and `total`.
    """
    if not 0 <= right <= total or total == 0:
        raise ValueError(f"expected 0 <= right <= total and total > 0, found {right} of {total}")
    share, slack = right / total, Z95**2 / total
    centre = share + slack / 2
    spread = Z95 * math.sqrt(share * (1 - share) / total + slack / (4 * total))
    low, high = (centre - spread) / (1 + slack), (centre + spread) / (1 + slack)
    return (0.0 if right == 0 else low, 1.0 if right == total else high)


@dataclass(frozen=True)
class ClassScore:
    """How many of one class's test images are named right; `total` is at least 1."""

    name: str
    right: int
    total: int

    @property
    def accuracy(self) -> float:
        """Share of the class's images, 0 to 1."""
        return self.right / self.total

    @property
    def interval(self) -> tuple[float, float]:
        """The 95% Wilson interval of the accuracy."""
        return wilson_interval(self.right, self.total)


@dataclass(frozen=True)
class Confusion:
    """Images of one class taken for another; `share` is of all images of the class."""

    label: str
    predicted: str
    count: int
    share: float


def count_pairs(predictions: Iterable[Prediction]) -> Counter[tuple[int, int]]:
    """Count test images by (label, predicted)."""
    return Counter((prediction.label, prediction.predicted) for prediction in predictions)


def class_totals(counts: Counts) -> Counter[int]:
    """Count test images by label."""
    totals: Counter[int] = Counter()
    for (label, _), count in counts.items():
        totals[label] += count
    return totals


def class_scores(counts: Counts, names: Sequence[str]) -> list[ClassScore]:
    """Return every class that has test images, the worst first, equals in label order."""
    totals = class_totals(counts)
    scores = [ClassScore(names[i], counts.get((i, i), 0), totals[i]) for i in sorted(totals)]
    return sorted(scores, key=lambda score: score.accuracy)


def frequent_confusions(counts: Counts, names: Sequence[str], most: int) -> list[Confusion]:
    """Return at most `most` pairs of different classes, the most frequent first."""
    totals = class_totals(counts)
    wrong = [(pair, count) for pair, count in counts.items() if pair[0] != pair[1]]
    wrong.sort(key=lambda item: (-item[1], item[0]))
    return [
        Confusion(names[label], names[predicted], count, count / totals[label])
        for (label, predicted), count in wrong[:most]
    ]
