"""Seeded stratified splits. Never opens a file."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from trainer.data.task_data import Sample
from trainer.errors import DataError


class Splits(NamedTuple):
    """The images of three disjoint splits.

    Attributes:
        train: gradients come from these.
        val: selection may look at these.
        test: for the final number only.
        held_out: the splits that no list names, and that were drawn from the others by the seed.
    """

    train: tuple[Sample, ...]
    val: tuple[Sample, ...]
    test: tuple[Sample, ...]
    held_out: tuple[str, ...] = ()


def hold_out(labels: Sequence[int], counts: Sequence[int], seed: int) -> tuple[list[int], ...]:
    """Divide the positions of `labels` into a rest and parts of exactly the given sizes.

    Every class keeps its share in each part, to within about one image, and at least one image
    in the rest, as long as there are images enough.

    Args:
        labels: one per image.
        counts: size of each part that is held out.
        seed: the same seed always gives the same split.

    Returns:
        The rest, then one list per part; positions in rising order.
    """
    reserved, free = _order(labels, seed)
    kept = max(0, len(labels) - sum(counts))
    # of more classes than that some go without; where they are classes, the checks of a task say so
    reserved, free = reserved[:kept], reserved[kept:] + free
    rest, *parts = _deal(free, [kept - len(reserved), *counts])
    return sorted(reserved + rest), *(sorted(part) for part in parts)


def hold_out_tenths(
    samples: Sequence[Sample], num_parts: int, seed: int
) -> tuple[tuple[Sample, ...], ...]:
    """Divide samples into a rest and parts of a tenth each, rounded up.

    So do the sizes of the paper's Table S1: 8,144 images of Stanford Cars become 7,329 and 815.
    """
    counts = [math.ceil(len(samples) / 10)] * num_parts
    parts = hold_out([s.label for s in samples], counts, seed)
    return tuple(tuple(samples[i] for i in part) for part in parts)


def drawn(samples: Sequence[Sample], seed: int) -> Splits:
    """Divide images that no split is named of: 80/10/10, as `hold_out_tenths`."""
    train, val, test = hold_out_tenths(samples, 2, seed)
    return Splits(train, val, test, held_out=("val", "test"))


def completed(where: str, splits: Mapping[str, Sequence[Sample]], seed: int) -> Splits:
    """Return training, validation and test images where one of the latter may be missing.

    It is a tenth of the training images then. Images for validation are never the test set.

    Args:
        where: they are from, for the message.
        splits: of train, val and test.
        seed: of what is held out.

    Raises:
        DataError: there are no training images, or neither of the others.
    """
    train, val, test = (tuple(splits.get(split, ())) for split in ("train", "val", "test"))
    if not train or not (val or test):
        raise DataError(
            f"{where}: found the splits {', '.join(splits)}, expected train, and test or val"
        )
    if not test:
        train, test = hold_out_tenths(train, 1, seed)
        return Splits(train, val, test, held_out=("test",))
    if not val:
        train, val = hold_out_tenths(train, 1, seed)
        return Splits(train, val, test, held_out=("val",))
    return Splits(train, val, test)


def _order(labels: Sequence[int], seed: int) -> tuple[list[int], list[int]]:
    """Shuffle within each class; return one position per class, and all others by class."""
    by_class: dict[int, list[int]] = {}
    for i in np.random.default_rng(seed).permutation(len(labels)).tolist():
        by_class.setdefault(labels[i], []).append(i)
    groups = [by_class[label] for label in sorted(by_class)]
    return [group[0] for group in groups], [i for group in groups for i in group[1:]]


def _deal(positions: Sequence[int], counts: Sequence[int]) -> list[list[int]]:
    """Deal in order, each time to the part furthest behind its share; sizes come out exact."""
    parts: list[list[int]] = [[] for _ in counts]
    for dealt, position in enumerate(positions, start=1):
        behind = [c * dealt / len(positions) - len(p) for c, p in zip(counts, parts, strict=True)]
        parts[behind.index(max(behind))].append(position)
    return parts
