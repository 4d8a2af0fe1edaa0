"""A part of a training list: a share of it (paper Fig. 3a, 4), or some images of each class."""

import math
from collections.abc import Callable, Sequence

import numpy as np

from trainer.data.task_data import Sample
from trainer.errors import DataError


def check_proportion(proportion: float) -> None:
    """Refuse a share outside (0, 1].

    Raises:
        DataError: it is zero, negative, above one or no number.
    """
    if not 0 < proportion <= 1:
        raise DataError(
            f"the proportion of training images is {proportion}, expected more than 0 and at most "
            "1; 0.3 trains on three tenths of each class"
        )


def subset(samples: Sequence[Sample], proportion: float, seed: int) -> tuple[Sample, ...]:
    """Draw the same share of every class, to the nearest image, and at least one of each.

    Subsets of one list under one seed are nested: a larger proportion only adds images.

    Args:
        samples: of one split.
        proportion: in (0, 1].
        seed: the same seed draws the same images.

    Returns:
        The images drawn, in the order of `samples`.

    Raises:
        DataError: the proportion is out of range.
    """
    check_proportion(proportion)
    return _drawn(samples, seed, lambda count: max(1, math.floor(count * proportion + 0.5)))


def few_shots(samples: Sequence[Sample], shots: int, seed: int) -> tuple[Sample, ...]:
    """Draw so many images of every class, or all of a class that has fewer.

    Draws of one list under one seed are nested, as those of `subset`.
    """
    return _drawn(samples, seed, lambda _: shots)


def _drawn(
    samples: Sequence[Sample], seed: int, wanted: Callable[[int], int]
) -> tuple[Sample, ...]:
    """Return the first ones of each class in the seed's order, as many as `wanted` says of all."""
    by_class: dict[int, list[int]] = {}
    for i in np.random.default_rng(seed).permutation(len(samples)).tolist():
        by_class.setdefault(samples[i].label, []).append(i)
    kept = [i for drawn in by_class.values() for i in drawn[: wanted(len(drawn))]]
    return tuple(samples[i] for i in sorted(kept))
