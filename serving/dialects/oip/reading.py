"""A body of `…/infer`, as JSON or as JSON with bytes behind it: checked, and what it says."""

from dataclasses import dataclass
from typing import Final

from pydantic import ValidationError

from adapters.errors import BadImage
from serving.dialects.json_text import check_marks, mistake_of
from serving.dialects.oip.outputs import check_names
from serving.dialects.oip.shapes import BYTES, IMAGE, JSON_BYTES_HEADER, InferCall, InputTensor
from serving.dialects.oip.tensors import elements
from serving.door.fields import decoded
from serving.errors import BadParameter
from serving.protocol import MAX_ROWS_PER_CALL

HEADER_BYTES: Final = 65_536
"""Of the JSON, where bytes follow it."""


@dataclass(frozen=True)
class OipCall:
    """What a body says.

    Attributes:
        said: all but the images.
        images: encoded, or why one is none.
    """

    said: InferCall
    images: tuple[bytes | BadImage, ...]


def read_call(body: bytes, json_bytes: int | None) -> OipCall:
    """Check a body.

    Args:
        body: unpacked.
        json_bytes: how many of its first bytes are JSON; None for all.

    Raises:
        BadParameter: it is not what the protocol wants; says where.
    """
    if json_bytes is not None and not 0 < json_bytes <= min(len(body), HEADER_BYTES):
        raise BadParameter(
            f"{JSON_BYTES_HEADER}: expected a number from 1 to {HEADER_BYTES:,} within "
            f"the body of {len(body):,} bytes, found {json_bytes:,}"
        )
    said = _parsed(body if json_bytes is None else body[:json_bytes])
    check_names([one.name for one in said.outputs or ()])
    image = _only_input(said)
    count = _count(image)
    size = image.num_bytes
    if size is None:
        _check_end(body, len(body) if json_bytes is None else json_bytes)
        return OipCall(said, _from_json(image, count))
    if json_bytes is None or image.data is not None:
        raise BadParameter(
            "image: binary_data_size says that its bytes follow the JSON: expected no data, and "
            f"the JSON's length in the header {JSON_BYTES_HEADER}"
        )
    _check_end(body, json_bytes + size)
    return OipCall(said, tuple(elements(memoryview(body)[json_bytes:], count)))


def _parsed(text: bytes) -> InferCall:
    check_marks(text)
    try:
        return InferCall.model_validate_json(text)
    except ValidationError as error:
        raise BadParameter(f"the inference request: {mistake_of(error)}") from error


def _only_input(said: InferCall) -> InputTensor:
    names = [one.name[:80] for one in said.inputs]
    if names != [IMAGE]:
        raise BadParameter(f"inputs: expected one tensor called {IMAGE}, found {names[:3]}")
    (image,) = said.inputs
    if image.datatype != BYTES:
        raise BadParameter(
            f"image: expected datatype {BYTES}, each element the bytes of a file, found "
            f"{image.datatype[:80]!r}"
        )
    return image


def _count(image: InputTensor) -> int:
    """Return how many images there are to be."""
    count, *more = image.shape or (0,)
    if more not in ([], [1]) or count < 1:
        raise BadParameter(
            f"image: expected shape [n] or [n, 1], n at least 1, found {list(image.shape)[:4]}"
        )
    if count > MAX_ROWS_PER_CALL:
        raise BadParameter(
            f"image: {count} images in one call, the limit is {MAX_ROWS_PER_CALL}; split it"
        )
    return count


def _from_json(image: InputTensor, count: int) -> tuple[bytes | BadImage, ...]:
    texts: list[str] = []
    for element in image.data or ():
        texts += [element] if isinstance(element, str) else element
    if len(texts) != count:
        raise BadParameter(
            f"image: its shape says {count} images, its data are {len(texts)}; data are strings, "
            "each the base64 of one file"
        )
    return tuple(map(decoded, texts))


def _check_end(body: bytes, expected: int) -> None:
    if len(body) != expected:
        raise BadParameter(
            f"the body: expected {expected:,} bytes, by the length of its JSON and the "
            f"binary_data_size of its input, found {len(body):,}"
        )
