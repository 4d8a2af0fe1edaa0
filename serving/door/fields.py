"""What a call says, by name: its query, the fields of its form, or of its JSON."""

import json
from base64 import b64decode
from collections.abc import Iterator, Sequence
from typing import Final

from adapters.errors import BadImage
from serving.errors import BadParameter
from serving.protocol import IMAGES_FIELD

Pairs = Sequence[tuple[str, object]]

_JSON_TYPE: Final = "application/json"


def row_of(pairs: Pairs) -> dict[str, object]:
    """Return parameters by name; a tuple where one was given more than once."""
    return dict(_grouped(pairs))


def is_json(content_type: str | None) -> bool:
    """Return whether a body is called JSON."""
    return (content_type or "").partition(";")[0].strip().lower() == _JSON_TYPE


def fields_of_json(body: object) -> Pairs:
    """Return what a JSON object holds as a form would, each image a field of its own.

    Args:
        body: its bytes, or the object. What is no object, whatever it is called, is the image.

    Returns:
        An image is bytes, or the `BadImage` that says why it is none.

    Raises:
        BadParameter: it has no list of images, or an empty one.
    """
    found = _parsed(body)
    if not isinstance(found, dict):
        return [("body", body)]
    texts = found.get(IMAGES_FIELD)
    if not (isinstance(texts, list) and texts):
        raise BadParameter(
            f"{IMAGES_FIELD}: expected a list with the base64 of one image or more, found "
            f"{json.dumps(texts)[:80]}"
        )
    parameters = ((name, _as_text(value)) for name, value in found.items() if name != IMAGES_FIELD)
    return [*parameters, *((IMAGES_FIELD, decoded(text)) for text in texts)]


def decoded(text: object) -> bytes | BadImage:
    """Return the image that base64 stands for, or why it stands for none."""
    try:
        return b64decode(text, validate=True)  # type: ignore[arg-type]
    except (ValueError, TypeError):
        return BadImage(
            "the image is not the base64 of a file: expected letters, digits, '+', '/' and '=' "
            "alone, without line breaks and without 'data:' before them"
        )


def _grouped(pairs: Pairs) -> Iterator[tuple[str, object]]:
    for name in dict.fromkeys(name for name, _ in pairs):
        values = tuple(value for other, value in pairs if other == name)
        yield name, values if len(values) > 1 else values[0]


def _parsed(body: object) -> object:
    if not isinstance(body, bytes | bytearray):
        return body
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _as_text(value: object) -> object:
    """Return a parameter as a form has it: true and 5, where Python has True and 5."""
    return value if value is None or isinstance(value, str) else json.dumps(value)
