"""What a built-in task is: class names, sizes and a way to render its images.

The seeds are fixed: a built-in task is data, the same for every training seed.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from numpy.random import Generator, default_rng
from PIL import Image

from trainer.data.task_data import SPLITS

Rendered = tuple[str, int, Image.Image]
"""Split, label, image."""

Draw = Callable[[Generator, int, str], Image.Image]
"""Draws one image of a label for a split."""


@dataclass(frozen=True)
class Sizes:
    """Number of images in each split."""

    train: int
    val: int
    test: int


@dataclass(frozen=True)
class Builtin:
    """One built-in task; raise `version` when its images change, so that old copies are redrawn."""

    class_names: tuple[str, ...]
    sizes: Sizes
    render: Callable[[Sizes], Iterator[Rendered]]
    version: int = 1


def render_balanced(sizes: Sizes, num_classes: int, draw: Draw, seed: int) -> Iterator[Rendered]:
    """Draw the classes in turn; every image has its own random stream."""
    for index, split in enumerate(SPLITS):
        for i in range(getattr(sizes, split)):
            label = i % num_classes
            yield split, label, draw(default_rng([seed, index, i]), label, split)
