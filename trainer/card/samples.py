"""Small images of a task, each of another class, for people who look at its artifact."""

import io
from base64 import b64encode
from collections.abc import Sequence
from itertools import product
from typing import Final

import numpy as np
from PIL import Image

from adapters.artifact.samples import (
    MAX_SAMPLE_BYTES,
    MAX_SAMPLE_LABEL,
    MAX_SAMPLE_SIDE,
    SampleImage,
)
from adapters.errors import BadImage
from adapters.images.decode import decode_image
from trainer.data.task_data import Sample, TaskData, classes_of
from trainer.errors import DataError

_SIDES: Final = (MAX_SAMPLE_SIDE, 64, 48, 32)
_QUALITIES: Final = (85, 70, 50, 30)


def sample_images(data: TaskData, most: int) -> tuple[SampleImage, ...]:
    """Return thumbnails of training images, of classes far apart in the list; always the same ones.

    Of a task without classes they are of numbers far apart.

    Args:
        data: whose training images are taken.
        most: how many, at most; 0 or more.

    Raises:
        DataError: one of them cannot be read.
    """
    found = _one_of_each(data) if most else []
    count = min(most, len(found))
    chosen = [found[i * len(found) // count] for i in range(count)]
    return tuple(SampleImage(label=_label(data, one), jpeg=_jpeg(one)) for one in chosen)


def _one_of_each(data: TaskData) -> Sequence[Sample]:
    """Return the first image of each class, in label order; of numbers all, in their order."""
    if not data.has_classes:
        return sorted(data.train, key=lambda sample: sample.target or ())
    first: dict[int, Sample] = {}
    for sample in data.train:
        for place in classes_of([sample]):
            first.setdefault(place, sample)
    return list(dict.fromkeys(first[place] for place in sorted(first)))


def _label(data: TaskData, sample: Sample) -> str:
    if not data.has_classes:
        return ", ".join(f"{number:g}" for number in sample.target or ())
    names = data.task.class_names
    return ", ".join(names[place] for place in classes_of([sample]))[:MAX_SAMPLE_LABEL]


def _jpeg(sample: Sample) -> str:
    """Return base64 of an image's thumbnail, as large and as good as fits."""
    try:
        image = decode_image(sample.path.read_bytes())
    except (BadImage, OSError) as error:
        raise DataError(f"{sample.path}: {error}") from error
    # made of pixels alone: no comment, place or camera of the file goes along
    bare = Image.fromarray(np.asarray(image))
    encoded = (_encoded(bare, side, quality) for side, quality in product(_SIDES, _QUALITIES))
    fitting = next(data for data in encoded if len(data) <= MAX_SAMPLE_BYTES)
    return b64encode(fitting).decode()


def _encoded(image: Image.Image, side: int, quality: int) -> bytes:
    small, buffer = image.copy(), io.BytesIO()
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    small.save(buffer, "JPEG", quality=quality, optimize=True)
    return buffer.getvalue()
