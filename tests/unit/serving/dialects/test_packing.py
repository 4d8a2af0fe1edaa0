"""A packed body is measured before it is kept, and a broken one is the caller's mistake."""

import gzip
import tracemalloc
import zlib
from collections.abc import Callable

import pytest

from serving.dialects.packing import is_packed, unpacked, unpacked_bytes
from serving.errors import BadParameter

PACKERS = pytest.mark.parametrize("pack", [gzip.compress, zlib.compress])
BODY = bytes(range(256)) * 1_000


@PACKERS
@pytest.mark.parametrize("body", [b"", b"x", BODY, bytes(1_000_000)])
def test_what_was_packed_is_unpacked(pack: Callable[[bytes], bytes], body: bytes) -> None:
    packed = pack(body)
    assert unpacked(packed) == body
    assert unpacked_bytes(packed, len(body)) == len(body)


@PACKERS
def test_a_body_that_swells_is_measured_no_further_than_it_may_be_long(
    pack: Callable[[bytes], bytes],
) -> None:
    packed = pack(bytes(200_000_000))
    tracemalloc.start()
    length = unpacked_bytes(packed, 1_000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert 1_000 < length < 200_000
    assert peak < 1_000_000


@PACKERS
@pytest.mark.parametrize(
    "broken",
    [lambda b: b[:-1], lambda b: b + b"x", lambda b: b"x" + b, lambda b: b[:5], lambda _: b""],
)
def test_what_is_not_packed_as_it_says_is_told(
    pack: Callable[[bytes], bytes], broken: Callable[[bytes], bytes]
) -> None:
    body = broken(pack(BODY))
    for read in (unpacked, lambda packed: unpacked_bytes(packed, 1_000_000)):
        with pytest.raises(BadParameter, match="is not packed as its Content-Encoding says"):
            read(body)


def test_the_encodings_that_we_know() -> None:
    assert [is_packed(name) for name in (None, "identity", "gzip", " GZIP ", "deflate")] == [
        *(False, False, True, True, True)
    ]
    with pytest.raises(BadParameter, match="expected gzip or deflate, or none, found 'br'"):
        is_packed("br")
