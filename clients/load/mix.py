"""What a load asks: images in turn, each of a task drawn at random by its share."""

import itertools
import random
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from clients.images.sources import images_in
from clients.load.closed import Ask

MOST_IMAGES: Final = 1000
"""They are held in memory; more of them measure nothing else."""


def read_images(places: Sequence[Path]) -> list[bytes]:
    """Return the files among `places` and the images in its folders, `MOST_IMAGES` at most.

    Raises:
        OSError: one cannot be read.
    """
    files = itertools.chain.from_iterable(
        images_in(place) if place.is_dir() else (place,) for place in places
    )
    return [path.read_bytes() for path in itertools.islice(files, MOST_IMAGES)]


def tasks_by_share(shares: Mapping[str, float], seed: int) -> Iterator[str]:
    """Yield tasks without end; the same seed yields the same.

    Args:
        shares: task -> how often it is drawn, in proportion to the others.
        seed: of the draws.
    """
    names, weights, rng = list(shares), list(shares.values()), random.Random(seed)
    while True:
        yield rng.choices(names, weights)[0]


def mixed(images: Sequence[bytes], tasks: Iterable[str]) -> Iterator[Ask]:
    """Yield one ask for each task, the images in turn; there is at least one image."""
    return (Ask(image, task) for image, task in zip(itertools.cycle(images), tasks, strict=False))


def for_seconds(asks: Iterator[Ask], seconds: float) -> Iterator[Ask]:
    """Yield asks until the time is over, counted from now."""
    ends = time.perf_counter() + seconds
    return itertools.takewhile(lambda _: time.perf_counter() < ends, asks)
