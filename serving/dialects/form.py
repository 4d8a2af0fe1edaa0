"""A multipart form's fields, whose names and values are the parameters and the images."""

from typing import Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from serving.errors import BadParameter
from serving.protocol import MAX_ROWS_PER_CALL

_MAX_PARAMETERS: Final = 16
_MAX_FIELDS: Final = _MAX_PARAMETERS + MAX_ROWS_PER_CALL


def is_form(content_type: str | None) -> bool:
    """Return whether a body of this type is a multipart form."""
    return parse_options_header(content_type)[0] == b"multipart/form-data"


def parse_form(content_type: str, body: bytes) -> list[tuple[str, bytes]]:
    """Return a form's fields by name, in their order; takes milliseconds for a large one.

    Raises:
        BadParameter: it is not a form, or has more fields than anybody needs.
    """
    boundary = parse_options_header(content_type)[1].get(b"boundary", b"")
    fields = _Fields()
    try:
        if not boundary:
            raise FormParserError("no boundary is named")
        parser = MultipartParser(
            boundary,
            {
                "on_part_begin": fields.begin,
                "on_header_begin": fields.begin_header,
                "on_header_field": fields.header_name,
                "on_header_value": fields.header_value,
                "on_header_end": fields.end_header,
                "on_part_data": fields.data,
                "on_part_end": fields.end,
                "on_end": fields.end_form,
            },
        )
        parser.write(body)
        if not fields.are_all:
            raise FormParserError("its end is missing")
    except FormParserError as error:
        raise BadParameter(
            f"the body is not the multipart form that it is said to be ({error}); send the image's "
            "bytes as application/octet-stream, or repair the form"
        ) from error
    return fields.found


class _Fields:
    """Collects what the parser comes across."""

    def __init__(self) -> None:
        self.found: list[tuple[str, bytes]] = []
        self.are_all = False

    def begin(self) -> None:
        if len(self.found) == _MAX_FIELDS:
            raise FormParserError(f"more than {_MAX_FIELDS} fields")
        self._name = b""
        self._value = bytearray()

    def begin_header(self) -> None:
        self._header_name = bytearray()
        self._header_value = bytearray()

    def header_name(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def end_header(self) -> None:
        if self._header_name.lower() == b"content-disposition":
            _, options = parse_options_header(self._header_value.decode("latin-1"))
            self._name = options.get(b"name", b"")

    def data(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def end(self) -> None:
        self.found.append((self._name.decode("latin-1"), bytes(self._value)))

    def end_form(self) -> None:
        self.are_all = True
