"""The worst mistakes as small pictures inside the page."""

import base64
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from PIL import Image

from adapters.errors import BadImage
from adapters.images.decode import decode_image
from adapters.shown import shown
from trainer.data.readers.formats.inside import image_named
from trainer.errors import DataError
from trainer.report.record import RunRecord

MAX_SIDE: Final = 128
"""Longest side of a picture, in pixels."""

_EXACT_UP_TO: Final = 64


@dataclass(frozen=True)
class Mistake:
    """A test image that the model names wrong; `uri` is None where the file cannot be read."""

    file: str
    uri: str | None
    label: str
    predicted: str
    score: float


def worst_mistakes(record: RunRecord, most: int) -> list[Mistake]:
    """Return the wrong answers with the highest scores, at most `most`."""
    names = record.metrics.class_names
    wrong = [prediction for prediction in record.predictions if not prediction.is_right]
    wrong.sort(key=lambda prediction: (-prediction.score, str(prediction.image)))
    return [
        Mistake(shown(p.image.name), picture(p.image), names[p.label], names[p.predicted], p.score)
        for p in wrong[:most]
    ]


def picture(path: Path) -> str | None:
    """Return an image as a data URI of at most 128 pixels a side; None if it is unreadable.

    A very small image keeps its exact pixels (PNG); others become JPEG.
    """
    try:
        image = decode_image(image_named(str(path)).read_bytes())
    except (BadImage, DataError, OSError, ValueError):
        return None
    if max(image.size) <= _EXACT_UP_TO:
        return _data_uri(image, "png", optimize=True)
    image.thumbnail((MAX_SIDE, MAX_SIDE))
    return _data_uri(image, "jpeg", quality=82)


def _data_uri(image: Image.Image, kind: str, **options: int) -> str:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"
