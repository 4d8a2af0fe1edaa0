"""Samples as batches of pixels, by the very code that serves them.

Axis letters: B batch, N images, H W pixels, D width.
"""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from PIL.Image import Image
from torch import Tensor
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    RandomSampler,
    Sampler,
    SequentialSampler,
    Subset,
    TensorDataset,
    WeightedRandomSampler,
)

from adapters.artifact.preprocessing import Preprocessing
from adapters.errors import BadImage
from adapters.images.crop import crop_centre, decode_by_rule
from adapters.vit.backbone import choose_device
from adapters.vit.pixels import normalise_batch
from trainer.data.task_data import Sample
from trainer.errors import DataError
from trainer.training import distributed
from trainer.training.regularising.augmentation import Augmentation, Drawn, Draws, Kind
from trainer.training.shared_memory import shared_memory_explained, workers_that_fit

CACHE_BYTES = 2 << 30
"""Cropped images of a split are kept in memory up to this size."""

_MAX_WORKERS = 8
Learned = int | Tensor
"""A class, or a target `[O]`: see `Sample`."""
Item = tuple[Tensor, Learned]


class ImageSet(Dataset[Item]):
    """Cropped 8-bit images and labels of a split; keeps them in memory when they fit."""

    def __init__(
        self, samples: Sequence[Sample], preprocessing: Preprocessing, *, augment: Kind = "none"
    ) -> None:
        self.samples = samples
        self.preprocessing = preprocessing
        self.augment_by = augment
        self.augment = None if augment == "none" else Augmentation(preprocessing, augment)
        size = len(samples) * preprocessing.crop**2 * 3
        self.fits = self.augment is None and size <= CACHE_BYTES
        self._kept: dict[int, np.ndarray] = {}

    def load(self) -> "ImageSet":
        """Decode and crop all images in parallel, if they are to be kept in memory."""
        if self.fits:
            with ThreadPoolExecutor() as pool:
                list(pool.map(self._cropped, range(len(self))))
        return self

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, place: int | Drawn) -> tuple[UInt8[Tensor, "H W 3"], Learned]:
        """Return a crop and its label: an index has the crop that serving sees."""
        index = place.image if isinstance(place, Drawn) else place
        sample = self.samples[index]
        pixels = torch.tensor(self._cropped(place))
        if sample.target is None:
            return pixels, sample.label
        return pixels, torch.tensor(sample.target, dtype=torch.float64)

    def _cropped(self, place: int | Drawn) -> np.ndarray:
        if isinstance(place, Drawn):
            assert self.augment is not None
            return self.augment(self._decoded(place.image), place.seed)
        if place not in self._kept:
            pixels = crop_centre(self._decoded(place), self.preprocessing)
            if not self.fits:
                return pixels
            self._kept[place] = pixels
        return self._kept[place]

    def _decoded(self, index: int) -> Image:
        path = self.samples[index].path
        try:
            return decode_by_rule(path.read_bytes(), self.preprocessing)
        except (BadImage, OSError) as error:
            raise DataError(f"{path}: {error}") from error


Split = ImageSet | Subset[Item] | TensorDataset
"""Items that batches are made of: images, some of them, or features in their place."""


def batches(
    images: Split,
    batch_size: int,
    *,
    shuffle: bool = False,
    balanced: bool = False,
    shared: bool = False,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield batches on the device; with `shuffle` in an order drawn from torch's seeded generator.

    Images travel as 8-bit crops, a quarter of their pixels' size, and are normalised there. Crops
    that are drawn follow from torch's seed, see `regularising.augmentation`.

    Args:
        images: a split.
        batch_size: images of a batch, over all processes.
        shuffle: in random order; a last batch that is not full is left out, unless it is the
            only one.
        balanced: with `shuffle`, as many draws as there are images, each class as likely.
        shared: only this process's share of each batch, see `distributed`.
    """
    order = _order(images, shuffle=shuffle, balanced=balanced)
    drop_last = shuffle and len(images) >= batch_size
    whole = BatchSampler(order, batch_size, drop_last=drop_last)
    dataset, draws = _drawn(images, whole)
    loader: DataLoader[Any] = DataLoader(
        dataset,
        batch_sampler=_Shares(draws) if shared and distributed.size() > 1 else draws,
        num_workers=_workers(images, batch_size),
        pin_memory=torch.cuda.is_available(),
    )
    source, device = _source(images), choose_device()
    with shared_memory_explained():
        for inputs, labels in loader:
            placed = inputs.to(device, non_blocking=True)
            if isinstance(source, ImageSet):
                placed = normalise_batch(placed, [source.preprocessing])
            yield placed, labels


def _drawn(images: Split, whole: BatchSampler) -> tuple[Dataset[Any], Sampler[list[Any]]]:
    """Return what is loaded by which keys: images that are augmented have a seed for each place."""
    source = _source(images)
    if not isinstance(source, ImageSet) or source.augment is None:
        return images, whole
    indices = images.indices if isinstance(images, Subset) else range(len(source))
    return source, Draws(whole, indices)


def _order(images: Split, *, shuffle: bool, balanced: bool) -> Sampler[int]:
    if not shuffle:
        return SequentialSampler(images)
    if not balanced:
        return RandomSampler(images)
    labels = _labels(images)
    weights = 1 / labels.bincount()[labels].double()
    return WeightedRandomSampler(weights.tolist(), len(labels))


def _labels(images: Split) -> Int64[Tensor, " N"]:
    if isinstance(images, ImageSet):
        return torch.tensor([sample.label for sample in images.samples])
    if isinstance(images, TensorDataset):
        return images.tensors[1]
    raise TypeError(f"expected images or features, found {type(images).__name__}")


class _Shares(Sampler[list[Any]]):
    """This process's places of each batch."""

    def __init__(self, whole: Sampler[list[Any]]) -> None:
        self._whole = whole

    def __iter__(self) -> Iterator[list[Any]]:
        for batch in self._whole:
            if share := batch[distributed.rank() :: distributed.size()]:
                yield share


def _workers(images: Split, batch_size: int) -> int:
    """Return how many processes load: none where pixels are in memory, or /dev/shm is small."""
    source = _source(images)
    if not isinstance(source, ImageSet) or source.fits:
        return 0
    wanted = min(_MAX_WORKERS, max(2, (os.cpu_count() or 2) - 1))
    return workers_that_fit(wanted, batch_size * source.preprocessing.crop**2 * 3)


def _source(images: Split) -> object:
    """Return what a split is a part of, or the split itself."""
    return images.dataset if isinstance(images, Subset) else images
