"""A form's fields come as they were sent, and a broken form is the caller's mistake."""

import pytest

from serving.dialects.form import is_form, parse_form
from serving.errors import BadParameter

TYPE = "multipart/form-data; boundary=bound"
IMAGE = b"\x89PNG\r\n\r\n--boun\r\n\xff\x00"


def form(*parts: tuple[bytes, bytes]) -> bytes:
    made = (
        b'--bound\r\nContent-Disposition: form-data; name="%s"; filename="a;b"\r\n'
        b"Content-Type: image/png\r\n\r\n%s\r\n" % part
        for part in parts
    )
    return b"".join(made) + b"--bound--\r\n"


def test_fields_keep_their_order_their_bytes_and_their_doubles() -> None:
    fields = [(b"task", b"pets"), (b"data", IMAGE), (b"task", b""), (b"", b"x")]
    found = parse_form(TYPE, form(*fields))
    assert found == [("task", b"pets"), ("data", IMAGE), ("task", b""), ("", b"x")]


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data", form((b"a", b"b"))),
        ("multipart/form-data; boundary=" + "x" * 300, form((b"a", b"b"))),
        (TYPE, b""),
        (TYPE, b"no form at all"),
        (TYPE, b"--other\r\n\r\n"),
        (TYPE, form((b"a", b"b"))[:-20]),
        (TYPE, form(*[(b"a", b"b")] * 49)),
        (TYPE, b"--bound\r\n" + b"X: y\r\n" * 1000 + b"\r\n\r\n--bound--"),
    ],
    ids=["no boundary", "long", "empty", "none", "other", "cut off", "many", "many headers"],
)
def test_what_is_no_form_is_refused_in_a_short_message(kind: str, body: bytes) -> None:
    with pytest.raises(BadParameter, match="not the multipart form") as caught:
        parse_form(kind, body)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (TYPE, True),
        ("Multipart/Form-Data", True),
        ("multipart/mixed; boundary=x", False),
        ("image/jpeg", False),
        (";;;", False),
        ("", False),
    ],
)
def test_a_form_is_told_by_its_content_type(kind: str, expected: bool) -> None:
    assert is_form(kind) == expected
