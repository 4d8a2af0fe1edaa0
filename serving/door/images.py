"""The images of a call: one, or a list that is answered by a list in the same order."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from adapters.errors import BadImage
from serving.errors import BadParameter
from serving.protocol import IMAGES_FIELD, MAX_ROWS_PER_CALL

IMAGE_FIELDS: Final = ("body", "data", IMAGES_FIELD)


class Images(NamedTuple):
    """What a call is about.

    Attributes:
        encoded: the images' bytes, in their order; nothing for one with a fault.
        faults: for each why it is no image, None where it may be one.
        is_list: whether they came as a list, be it of one.
    """

    encoded: Sequence[bytes]
    faults: Sequence[BadImage | None]
    is_list: bool


def images_of(row: Mapping[str, Any]) -> Images:
    """Return the images that come with a request; an empty one where there is none.

    Args:
        row: query parameters or form fields, with the body; a tuple where one was given more than
            once.

    Raises:
        BadParameter: more than one image that are no list, or too long a list.
        BadImage: the body is not bytes.
    """
    named = [field for field in IMAGE_FIELDS if field in row]
    if len(named) > 1:
        raise BadParameter(f"expected one image, found two: {' and '.join(named)}; send one")
    value = row[named[0]] if named else b""
    values = value if isinstance(value, tuple) else (value,)
    if named == [IMAGES_FIELD]:
        return _listed(values)
    if len(values) > 1:
        raise BadParameter(
            f"expected one image, found {len(values)} called {named[0]}; send one, or call each of "
            f"several {IMAGES_FIELD}"
        )
    return Images((_bytes(value),), (None,), is_list=False)


def _listed(values: Sequence[object]) -> Images:
    if len(values) > MAX_ROWS_PER_CALL:
        raise BadParameter(
            f"{IMAGES_FIELD}: {len(values)} images in one call, the limit is {MAX_ROWS_PER_CALL}; "
            "split it"
        )
    checked = [_checked(value) for value in values]
    faults = [one if isinstance(one, BadImage) else None for one in checked]
    encoded = [b"" if isinstance(one, BadImage) else one for one in checked]
    return Images(encoded, faults, is_list=True)


def _checked(value: object) -> bytes | BadImage:
    try:
        return _bytes(value)
    except BadImage as error:
        return error


def _bytes(value: object) -> bytes:
    if isinstance(value, BadImage):
        raise value
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    raise BadImage(
        f"the body is {type(value).__name__}, not an image: send the bytes of a JPEG, PNG or WebP "
        "as application/octet-stream"
    )
