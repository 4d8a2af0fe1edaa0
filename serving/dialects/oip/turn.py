"""A call of `…/infer`: images of one tensor about one task, answered all or not at all."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from adapters.errors import ImageTooLarge
from serving.dialects.dialect import Header
from serving.dialects.json_text import json_cost
from serving.dialects.oip.outputs import EMBEDDING, LOGITS
from serving.dialects.oip.reading import read_call
from serving.dialects.oip.shapes import JSON_BYTES_HEADER, InferCall
from serving.dialects.oip.writing import written
from serving.dialects.packing import is_packed, unpacked, unpacked_bytes
from serving.dialects.plain import PathTask, plain_refusal
from serving.door.admission import Admitted
from serving.door.fields import Pairs
from serving.door.replies import Reply, queries_of
from serving.errors import BadParameter, to_wire
from serving.protocol import (
    EMBED_PARAMETER,
    IMAGES_FIELD,
    LOGITS_PARAMETER,
    TOP_K_PARAMETER,
    Answer,
    ErrorBody,
)
from serving.rows.query import Outcome, Query

_MOST_COPIES: Final = 5
"""Of a packed body: unpacked, and read as JSON whose characters are wide."""


class OipTurn:
    """A `Turn`.

    Args:
        most_bytes: that a body may have, unpacked.
        path: names the task, and maybe the version.
        header: looks up the request's.
    """

    def __init__(self, most_bytes: int, path: Mapping[str, str], header: Header) -> None:
        self._most_bytes = most_bytes
        self._path = PathTask(path)
        self._encoding = header("content-encoding")
        self._json_bytes = header(JSON_BYTES_HEADER)
        self._said = InferCall(inputs=())

    @property
    def is_image(self) -> bool:
        """Whether the body is one image, without any JSON."""
        return self._json_bytes == "0"

    def head(self, query: Pairs) -> Pairs:
        """Return the task, and what else is in the address."""
        if self.is_image and is_packed(self._encoding):
            raise BadParameter("Content-Encoding: an image without JSON is sent as it is")
        return self._path.pairs(query, (TOP_K_PARAMETER,))

    def cost(self, body: bytes) -> int:
        """Return what unpacking and reading the body takes."""
        if not is_packed(self._encoding):
            return len(body) if self._json_bytes else json_cost(body)
        length = unpacked_bytes(body, self._most_bytes)
        if length > self._most_bytes:
            raise ImageTooLarge(
                f"unpacked, the body has more bytes than the limit of {self._most_bytes:,}; send "
                "smaller images, or fewer"
            )
        return _MOST_COPIES * length

    def fields(self, body: bytes) -> Pairs:
        """Return the parameters and the images."""
        if is_packed(self._encoding):
            body = unpacked(body)
        call = read_call(body, _number(self._json_bytes))
        self._said = call.said
        wanted = {output.name for output in self._said.outputs or ()}
        top_k = self._said.top_k
        return [
            *([] if top_k is None else [(TOP_K_PARAMETER, str(top_k))]),
            *([(EMBED_PARAMETER, "true")] if EMBEDDING in wanted else []),
            *([(LOGITS_PARAMETER, "true")] if LOGITS in wanted else []),
            *((IMAGES_FIELD, image) for image in call.images),
        ]

    def queries(self, row: Admitted | Exception, images: Sequence[bytes]) -> list[Query]:
        """Return what is asked of the engine: nothing, where one image may not be asked about."""
        if isinstance(row, Exception) or any(row.refusals):
            return []
        return queries_of(row, images)

    def reply(self, row: Admitted | Exception, outcomes: Iterator[Outcome]) -> Reply:
        """Return the outputs; or the first error, where any image has one."""
        if isinstance(row, Exception):
            return self.refusal(row)
        found = row.refusals if any(row.refusals) else list(outcomes)
        answers = [one for one in found if isinstance(one, Answer)]
        errors = {i: one for i, one in enumerate(found, 1) if isinstance(one, Exception)}
        if errors:
            return self._refused(errors, len(found))
        try:
            return written(self._said, answers)
        except BadParameter as error:
            return self.refusal(error)

    def refusal(self, error: Exception) -> Reply:
        """Return the reply to a call that met an error."""
        return self._path.refusal(error)

    def _refused(self, errors: Mapping[int, Exception], count: int) -> Reply:
        """Return what a call is told of which some images have errors, by their places from 1."""
        told = {place: to_wire(error, self._path.task) for place, error in errors.items()}
        place, first = next(iter(told.items()))
        if count == 1 or (len(told) == count and _are_alike(list(told.values()))):
            return plain_refusal(first)
        others = f", and {len(told) - 1} more have errors" if len(told) > 1 else ""
        message = (
            f"image {place} of {count}: {first.message}; this protocol answers all images of a "
            f"call or none{others}"
        )
        return plain_refusal(first.model_copy(update={"message": message}))


def _are_alike(told: Sequence[ErrorBody]) -> bool:
    """Return whether no image is to blame, but what is asked of all."""
    return all(one.code == told[0].code and one.message == told[0].message for one in told)


def _number(text: str | None) -> int | None:
    if not text:
        return None
    if text.isascii() and text.isdecimal() and len(text) < 10:
        return int(text)
    raise BadParameter(f"{JSON_BYTES_HEADER}: expected a whole number, found {text[:80]!r}")
