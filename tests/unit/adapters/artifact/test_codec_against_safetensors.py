"""The reader against safetensors' own: what it takes, safetensors takes as the same tensors."""

import json
import struct
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from adapters.artifact.codec import read_contents
from adapters.errors import ArtifactCorrupt
from adapters.vit.adapter import encode
from tests.fakes.artifacts import make_adapter

METHODS = st.sampled_from(["spt-deep", "spt-shallow", "linear"])
ADAPTERS = st.builds(
    make_adapter,
    classes=st.integers(1, 4),
    depth=st.integers(1, 3),
    width=st.just(2),
    prompts=st.integers(1, 3),
    seed=st.integers(0, 1000),
    method=METHODS,
)
ARTIFACT = encode(make_adapter(width=4, prompts=1))
NUMBERS = st.one_of(st.integers(-1, 200), st.sampled_from([2**31, 2**62, 2**64, 1.5, None, "4"]))


def split(data: bytes) -> tuple[dict[str, Any], bytes]:
    """Return an artifact's header and what comes after it."""
    end = 8 + int.from_bytes(data[:8], "little")
    return json.loads(data[8:end]), data[end:]


def joined(header: dict[str, Any] | str, values: bytes) -> bytes:
    text = header if isinstance(header, str) else json.dumps(header)
    padded = text.encode() + b" " * (-len(text.encode()) % 8)
    return struct.pack("<Q", len(padded)) + padded + values


def check_agrees(data: bytes) -> bool:
    """Return whether an artifact is taken; if it is, safetensors says the same of it."""
    try:
        contents = read_contents(data)
    except ArtifactCorrupt:
        return False
    theirs = safetensors.torch.load(data)
    assert contents.tensors.keys() == theirs.keys()
    for name, ours in contents.tensors.items():
        assert theirs[name].dtype == torch.float32
        assert ours.shape == tuple(theirs[name].shape)
        assert np.array_equal(ours, theirs[name].numpy())
    return True


@settings(max_examples=100, deadline=None)
@given(adapter=ADAPTERS, order=st.randoms(use_true_random=False), indent=st.sampled_from([None, 1]))
def test_a_whole_artifact_is_taken_however_it_is_laid_out(
    adapter: Any, order: Any, indent: int | None
) -> None:
    header, values = split(encode(adapter))
    names = [name for name in header if name != "__metadata__"]
    order.shuffle(names)
    moved, place = b"", 0
    for name in names:
        first, last = header[name]["data_offsets"]
        moved += values[first:last]
        header[name]["data_offsets"] = [place, place := place + last - first]
    shuffled = {name: header[name] for name in order.sample(list(header), len(header))}
    assert check_agrees(joined(json.dumps(shuffled, indent=indent), moved))


@settings(max_examples=300, deadline=None)
@given(
    adapter=ADAPTERS, edits=st.lists(st.tuples(st.floats(0, 1), st.binary(max_size=3)), max_size=4)
)
def test_an_artifact_with_other_bytes_is_refused_or_is_what_safetensors_says(
    adapter: Any, edits: list[tuple[float, bytes]]
) -> None:
    data = encode(adapter)
    for where, written in edits:
        start = int(where * len(data))
        data = data[:start] + written + data[start + len(written) :]
    check_agrees(data)


@settings(max_examples=300, deadline=None)
@given(data=st.data(), adapter=ADAPTERS)
def test_an_artifact_with_another_layout_is_refused_or_is_what_safetensors_says(
    data: st.DataObject, adapter: Any
) -> None:
    header, values = split(encode(adapter))
    name = data.draw(st.sampled_from([key for key in header if key != "__metadata__"]))
    field = data.draw(st.sampled_from(["shape", "data_offsets", "dtype"]))
    kinds = st.sampled_from(["F32", "F16", "BF16", "F64", "I32", "U8", "F8_E4M3", "F4", "C64", ""])
    new = kinds if field == "dtype" else st.lists(NUMBERS, max_size=4)
    header[name][field] = data.draw(new)
    check_agrees(joined(header, values))


@settings(max_examples=100, deadline=None)
@given(length=st.integers(0, len(ARTIFACT)), added=st.binary(max_size=9))
def test_an_artifact_of_another_length_is_refused(length: int, added: bytes) -> None:
    data = ARTIFACT[:length] + added
    assume(len(data) != len(ARTIFACT))
    assert not check_agrees(data)


HEADER, VALUES = split(ARTIFACT)
END = len(VALUES)


def with_field(name: str, **fields: Any) -> dict[str, Any]:
    return {**HEADER, name: {**HEADER[name], **fields}}


def twice(name: str) -> str:
    """Return the header with one of its keys a second time, before the first."""
    return f"{{{json.dumps(name)}:{json.dumps(HEADER[name])},{json.dumps(HEADER)[1:]}"


def starting_at(place: int) -> dict[str, Any]:
    """Return the header with all tensors `place` bytes further back."""
    moved = {
        name: {**one, "data_offsets": [place + first for first in one["data_offsets"]]}
        for name, one in HEADER.items()
        if name != "__metadata__"
    }
    return {**HEADER, **moved}


FORBIDDEN: dict[str, tuple[dict[str, Any] | str, bytes]] = {
    "a hole before the first tensor": (starting_at(8), bytes(8) + VALUES),
    "bytes behind the last tensor": (HEADER, VALUES + bytes(8)),
    "an overlap": (with_field("prompts", data_offsets=[0, 32]), VALUES),
    "the end before the start": (with_field("prompts", data_offsets=[END, 0]), VALUES),
    "an end after the file's": (with_field("prompts", data_offsets=[0, END + 32]), VALUES),
    "an offset below zero": (with_field("head.bias", data_offsets=[-12, 0]), VALUES),
    "fewer bytes than the shape": (with_field("head.bias", shape=[4]), VALUES),
    "a shape beyond 64 bits": (with_field("head.bias", shape=[2**63, 2**63]), VALUES),
    "a tensor twice": (twice("head.bias"), VALUES),
    "the metadata twice": (twice("__metadata__"), VALUES),
    "a number that is none": (with_field("head.bias", note=float("nan")), VALUES),
}


@pytest.mark.parametrize(("header", "values"), FORBIDDEN.values(), ids=FORBIDDEN.keys())
def test_a_layout_that_two_readers_could_take_for_two_things_is_refused(
    header: dict[str, Any] | str, values: bytes
) -> None:
    assert read_contents(joined(HEADER, VALUES)).meta.task.id == "pets"
    with pytest.raises(ArtifactCorrupt):
        read_contents(joined(header, values))


def test_a_header_in_another_encoding_is_refused() -> None:
    text = json.dumps(HEADER).encode("utf-16-le")
    with pytest.raises(ArtifactCorrupt, match="not an artifact of format 1"):
        read_contents(struct.pack("<Q", len(text)) + text + VALUES)
