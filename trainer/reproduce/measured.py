"""Our numbers: means over seeds, and how they are written."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from trainer.reproduce.variant import Cell


@dataclass(frozen=True)
class Measured:
    """A mean over seeds.

    Attributes:
        mean: in the unit of its column.
        deviation: standard deviation over seeds; None of a single one.
        count: number of seeds.
    """

    mean: float
    deviation: float | None = None
    count: int = 1

    def text(self, digits: int = 1) -> str:
        """Return mean ± deviation and, in brackets, the number of seeds."""
        spread = "" if self.deviation is None else f" ± {self.deviation:.{digits}f}"
        return f"{self.mean:.{digits}f}{spread} ({self.count})"


def over_seeds(values: Sequence[float]) -> Measured:
    """Return the mean of one value per seed."""
    deviation = stdev(values) if len(values) > 1 else None
    return Measured(fmean(values), deviation, len(values))


def accuracy_of(cells: Sequence[Cell]) -> Measured:
    """Return the test accuracy in percent; of several tasks, the mean of each seed's tasks."""
    per_seed = zip(*(cell.test_accuracies for cell in cells), strict=False)
    return over_seeds([100 * fmean(tasks) for tasks in per_seed])


def parameters_of(cells: Sequence[Cell]) -> float:
    """Return the trained parameters in millions, head included, the mean over tasks."""
    return fmean(sum(cell.parts.values()) for cell in cells) / 1e6


def millions(number: float) -> str:
    """Return a number of millions, small ones in two significant digits."""
    return f"{number:.2f}" if number >= 0.1 else f"{number:.2g}"
