"""The contract of `/spt/predict`: the body is an image, a form, or JSON with a list of images."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from serving.dialects.dialect import Header
from serving.dialects.form import is_form, parse_form
from serving.dialects.json_text import check_marks, json_cost
from serving.door.admission import Admitted
from serving.door.fields import Pairs, fields_of_json, is_json
from serving.door.replies import Reply, queries_of, refusal, reply_of
from serving.rows.query import Outcome, Query


class SptTurn:
    """A `Turn`."""

    def __init__(self, _: Mapping[str, str], header: Header) -> None:
        content_type = header("content-type") or ""
        self._parse: Callable[[bytes], Pairs] | None = None
        self._is_json = is_json(content_type)
        if is_form(content_type):
            self._parse = partial(parse_form, content_type)
        elif self._is_json:
            self._parse = _fields_of_json

    @property
    def is_image(self) -> bool:
        """Whether the body is the image."""
        return self._parse is None

    def head(self, query: Pairs) -> Pairs:
        """Return the query."""
        return query

    def cost(self, body: bytes) -> int:
        """Return what JSON takes beside the body."""
        return json_cost(body) if self._is_json else 0

    def fields(self, body: bytes) -> Pairs:
        """Return the fields of the form or JSON."""
        assert self._parse is not None
        return self._parse(body)

    def queries(self, row: Admitted | Exception, images: Sequence[bytes]) -> list[Query]:
        """Return what is asked of the engine."""
        return queries_of(row, images)

    def reply(self, row: Admitted | Exception, outcomes: Iterator[Outcome]) -> Reply:
        """Return the reply."""
        return reply_of(row, outcomes)

    def refusal(self, error: Exception) -> Reply:
        """Return the reply to a call that met an error."""
        return refusal(error)


def _fields_of_json(body: bytes) -> Pairs:
    check_marks(body)
    return fields_of_json(body)
