"""Random crops and flips of an image, which follow from the seed, the epoch and its place in it.

So neither the number of loading processes nor that of training ones changes a pixel.
"""

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import UInt8
from PIL.Image import Image
from torch.utils.data import Sampler
from torchvision.transforms import (
    Compose,
    InterpolationMode,
    RandomCrop,
    RandomHorizontalFlip,
    RandomResizedCrop,
    Resize,
)

from adapters.artifact.preprocessing import Preprocessing

Kind = Literal["none", "crop-flip", "shift-flip"]
"""See `PixelRecipe.augment`."""


class Drawn(NamedTuple):
    """One place in an epoch.

    Attributes:
        image: its index.
        seed: of its crop and flip here; another one wherever else the image is drawn.
    """

    image: int
    seed: int


class Augmentation:
    """A random part of an image of the rule's crop, and flipped or not.

    With `crop-flip` the part is of any size, with `shift-flip` of the image as the rule resizes it.
    """

    def __init__(self, rule: Preprocessing, kind: Kind = "crop-flip") -> None:
        interpolation = InterpolationMode(rule.interpolation)
        if kind == "crop-flip":
            parts = [RandomResizedCrop(rule.crop, interpolation=interpolation)]
        else:
            size = rule.resize_size
            whole = size if rule.resize == "shorter" else (size, size)
            parts = [Resize(whole, interpolation), RandomCrop(rule.crop)]
        self._transform = Compose([*parts, RandomHorizontalFlip()])

    def __call__(self, image: Image, seed: int) -> UInt8[np.ndarray, "H W 3"]:
        """Return the pixels that a seed draws; torch's own stream stays where it is."""
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            return np.asarray(self._transform(image))


class Draws(Sampler[list[Drawn]]):
    """Batches of places, each with its seed.

    Args:
        batches: of places in `images`, in the epoch's order.
        images: the index of the image at each place of a split.
    """

    def __init__(self, batches: Sampler[list[int]], images: Sequence[int]) -> None:
        self._batches = batches
        self._images = images

    def __iter__(self) -> Iterator[list[Drawn]]:
        epoch, place = torch.initial_seed(), 0
        for batch in self._batches:
            yield [
                Drawn(self._images[i], _seed(epoch, place + offset))
                for offset, i in enumerate(batch)
            ]
            place += len(batch)


def _seed(epoch: int, place: int) -> int:
    """Mix both: two epochs whose seeds are neighbours share no draws."""
    return int(np.random.SeedSequence((epoch, place)).generate_state(1, np.uint64)[0] >> 1)
