"""Samples as a torch dataset of pixels, by the very code that serves them.

Axis letters: B batch, H W pixels, D width.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float32, Int64
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import (
    Compose,
    InterpolationMode,
    RandomHorizontalFlip,
    RandomResizedCrop,
)

from adapters.errors import BadImage
from adapters.preprocess import Preprocessing, crop_centre, decode_image, normalise
from trainer.data.task_data import Sample
from trainer.errors import DataError

CACHE_BYTES = 2 << 30
"""Cropped images of a split are kept in memory up to this size."""

_WORKERS = 2
Split = Dataset[tuple[Tensor, int]]


class ImageSet(Split):
    """Pixels and labels of a split; keeps cropped images in memory when they fit."""

    def __init__(
        self, samples: Sequence[Sample], preprocessing: Preprocessing, *, augment: bool = False
    ) -> None:
        self.samples = samples
        self.preprocessing = preprocessing
        self.augment = _augmentation(preprocessing) if augment else None
        size = len(samples) * preprocessing.crop**2 * 3
        self.fits = self.augment is None and size <= CACHE_BYTES
        self._kept: dict[int, np.ndarray] = {}

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> tuple[Float32[Tensor, "3 H W"], int]:
        return normalise(self._cropped(index), self.preprocessing), self.samples[index].label

    def _cropped(self, index: int) -> np.ndarray:
        if index in self._kept:
            return self._kept[index]
        path = self.samples[index].path
        try:
            image = decode_image(path.read_bytes())
        except (BadImage, OSError) as error:
            raise DataError(f"{path}: {error}") from error
        crop = self.augment(image) if self.augment else crop_centre(image, self.preprocessing)
        pixels = np.asarray(crop)
        if self.fits:
            self._kept[index] = pixels
        return pixels


def batches(
    images: Split, batch_size: int, *, shuffle: bool = False
) -> Iterator[tuple[Tensor, Int64[Tensor, " B"]]]:
    """Yield batches; with `shuffle` in an order drawn from torch's seeded generator.

    A last batch that is not full is left out when shuffling, unless it is the only one.
    """
    keep_all = getattr(images, "fits", True)
    loader: DataLoader[Any] = DataLoader(
        images,
        batch_size=batch_size,
        shuffle=shuffle,
        drop_last=shuffle and len(images) >= batch_size,  # type: ignore[arg-type]
        num_workers=0 if keep_all else _WORKERS,
    )
    yield from loader


def _augmentation(preprocessing: Preprocessing) -> Compose:
    interpolation = InterpolationMode(preprocessing.interpolation)
    crop = RandomResizedCrop(preprocessing.crop, interpolation=interpolation)
    return Compose([crop, RandomHorizontalFlip()])
