"""What JSON costs is known from its bytes, and none becomes millions of objects."""

import json
import tracemalloc

import pytest

from serving.dialects.json_text import check_marks, json_cost
from serving.dialects.oip.reading import read_call
from serving.errors import BadParameter

IMAGE = {"name": "image", "datatype": "BYTES", "shape": [1]}
LENGTH = 2_000_000


@pytest.mark.parametrize(
    "text", [b"[" * LENGTH, b"[]," * LENGTH, b'{"a":1,' * LENGTH, b"[1," * LENGTH]
)
def test_json_of_many_small_values_is_refused_before_it_is_parsed(text: bytes) -> None:
    tracemalloc.start()
    with pytest.raises(BadParameter, match="brackets, commas and colons"):
        read_call(text, None)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100_000


@pytest.mark.parametrize("odd", ["", "é", "😀", "\\u00e9", "\\ud83d\\ude00"])
def test_reading_takes_no_more_than_was_said(odd: str) -> None:
    said = json.dumps({"inputs": [IMAGE | {"data": ["A" * LENGTH + "ODD"]}]})
    text = said.replace("ODD", odd).encode()
    tracemalloc.start()
    read_call(text, None)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    counted = 2 * (len(text) + json_cost(text))  # the room has two bytes for each
    assert len(text) + peak < counted


def test_a_call_with_as_many_images_and_outputs_as_may_be_has_few_marks() -> None:
    check_marks(json.dumps({"images": [["x"]] * 1_000}).encode())
