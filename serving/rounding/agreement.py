"""How often a trunk that rounds finds another best class, and which rows that may happen to.

Rounding moves features a little, so the best class of a row near a boundary may change. How near
is measured on images of published tasks: half of them settle the margin below which a row is
computed again exactly, the other half tell how often answers are then the exact ones.
Axis letters: B batch, D width.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor

from serving.errors import ExportError
from serving.forward.heads import best_classes, margins
from serving.rows.resident import Resident

ROWS: Final = 16
SAFETY: Final = 0.5
"""Of the disagreements that the floor allows, the share that may be left when settling."""

FeaturesOf = Callable[[Tensor, Sequence[Resident]], Tensor]
"""From pixels `[B, 3, H, W]` of as many rows to features `[B, D]`."""


class Agreement(BaseModel):
    """How one task fares.

    Attributes:
        same: share of images whose best class is the exact one.
        again: share of images that were in doubt, and so computed again.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    same: float
    again: float


class Sample(NamedTuple):
    """One task and images of it, pixels as the backbone takes them."""

    resident: Resident
    pixels: Tensor


class Seen(NamedTuple):
    """What rounding makes of one task's images: their margins, and which labels are wrong."""

    margins: Tensor
    wrong: Tensor

    def half(self, which: int) -> "Seen":
        """Return every other image, from the first (0) or the second (1) on."""
        return Seen(self.margins[which::2], self.wrong[which::2])

    def agreement(self, doubt: float) -> Agreement:
        """Return how the task fares if images in doubt are computed again."""
        again = ~(self.margins >= doubt)
        same = again | ~self.wrong
        return Agreement(same=float(same.double().mean()), again=float(again.double().mean()))


@torch.inference_mode()
def compare(sample: Sample, exact: FeaturesOf, rounded: FeaturesOf) -> Seen:
    """Return what rounding makes of a sample."""
    found_margins, wrong = [], []
    for pixels in sample.pixels.split(ROWS):
        residents = [sample.resident] * len(pixels)
        features = exact(pixels, residents), rounded(pixels, residents)
        labels = [best_classes(found, residents, 1)[1][:, 0] for found in features]
        found_margins.append(margins(features[1], residents).cpu())
        wrong.append((labels[0] != labels[1]).cpu())
    return Seen(torch.cat(found_margins), torch.cat(wrong))


class Settled(NamedTuple):
    """The margin below which rows are computed again, and how each task then fares."""

    doubt: float
    agreement: dict[str, Agreement]

    def demand(self, floor: float, rounded: str, exact: str) -> None:
        """Refuse a trunk that changes answers too often.

        Args:
            floor: the smallest share of a task's images whose best class must be the exact one.
            rounded: the precision and the backbone, in words.
            exact: the precision that is compared with.

        Raises:
            ExportError: some task stays below the floor.
        """
        if min(found.same for found in self.agreement.values()) < floor:
            raise ExportError(
                f"{rounded}: every task must agree with {exact} on {floor:.1%} of its images, "
                f"found {in_words(self.agreement)}; nothing was written. Give more images with "
                f"--images, serve {exact}, or accept less with --floor"
            )


def settle(seen: Mapping[str, Seen], floor: float) -> Settled:
    """Settle the margin by half of the images, and see on the other half what it is worth."""
    doubt = settle_doubt(seen, floor)
    return Settled(doubt, {task: found.half(1).agreement(doubt) for task, found in seen.items()})


def settle_doubt(seen: Mapping[str, Seen], floor: float) -> float:
    """Return the least margin below which rows must be computed again, by half of the images.

    Computed again, they leave each task with at most `SAFETY` of the disagreements that the floor
    allows.
    """
    return max(_doubt(found.half(0), floor) for found in seen.values())


def in_words(agreement: Mapping[str, Agreement]) -> str:
    """Return one line about all tasks."""
    return ", ".join(
        f"{task} {found.same:.1%} with {found.again:.1%} computed again"
        for task, found in sorted(agreement.items())
    )


def _doubt(seen: Seen, floor: float) -> float:
    allowed = max(0, math.floor(SAFETY * (1 - floor) * len(seen.wrong) + 1e-9))
    known = seen.margins[seen.wrong & ~seen.margins.isnan()]
    wrong = known.sort(descending=True).values
    if len(wrong) <= allowed:
        return 0.0
    return float(torch.nextafter(wrong[allowed], torch.tensor(torch.inf)))
