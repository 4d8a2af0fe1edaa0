"""Tensors as bytes, the way tritonclient reads and writes them."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.dialects.oip.tensors import Tensor, elements
from serving.errors import BadParameter


def behind_lengths(*images: bytes) -> bytes:
    return b"".join(struct.pack("<I", len(image)) + image for image in images)


@given(st.lists(st.binary(max_size=20), min_size=1, max_size=8))
def test_elements_are_what_was_sent(images: list[bytes]) -> None:
    assert elements(memoryview(behind_lengths(*images)), len(images)) == images


@pytest.mark.parametrize(
    ("data", "count", "told"),
    [
        (behind_lengths(b"a"), 2, "says 2 images, its bytes hold 1"),
        (behind_lengths(b"a", b"b"), 1, "more bytes follow the last"),
        (behind_lengths(b"abc")[:-1], 1, "end in the middle of an image"),
        (behind_lengths(b"abc") + b"x", 2, "end in the middle of an image"),
        (b"\xff\xff\xff\xff", 1, "end in the middle of an image"),
        (b"", 1, "hold 0"),
    ],
)
def test_elements_that_are_not_whole_are_told(data: bytes, count: int, told: str) -> None:
    with pytest.raises(BadParameter, match=told):
        elements(memoryview(data), count)


@pytest.mark.parametrize(
    ("tensor", "raw"),
    [
        (Tensor("labels", "BYTES", (2,), ["a", "é"]), b"\1\0\0\0a\2\0\0\0\xc3\xa9"),
        (Tensor("scores", "FP32", (1, 2), [0.5, -1]), struct.pack("<2f", 0.5, -1)),
        (Tensor("indices", "INT64", (1,), [2**40]), struct.pack("<q", 2**40)),
        (Tensor("present", "BOOL", (2,), [True, False]), b"\1\0"),
    ],
)
def test_values_are_little_endian_and_text_stands_behind_its_length(
    tensor: Tensor, raw: bytes
) -> None:
    output, found = tensor.as_binary()
    assert found == raw
    assert output.model_dump(exclude_none=True)["parameters"] == {"binary_data_size": len(raw)}
    assert tensor.as_json().data == tuple(tensor.values)
