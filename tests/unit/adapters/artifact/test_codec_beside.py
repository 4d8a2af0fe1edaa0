"""An artifact may hold keys and values beside deep prompts, and biases; wrong ones are refused."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from adapters.artifact.codec import read_contents
from adapters.errors import ArtifactCorrupt, ArtifactMismatch, SptError
from adapters.store.directory import DirectoryStore
from adapters.vit.adapter import Adapter, decode, encode
from tests.fakes.beside import adapter_with

WHOLE = {
    "keys and values": {"keys_values": 3},
    "biases": {"biases": True},
    "both": {"keys_values": 2, "biases": True},
    "biases of a bare head": {"biases": True, "method": "linear"},
    "keys and values that begin later": {"keys_values": 3, "depth": 4, "first_block": 2},
}


def made(depth: int = 2, first_block: int = 0, **options: object) -> Adapter:
    adapter = adapter_with(depth=depth, first_block=first_block, **options)
    more = adapter.keys_values
    return replace(adapter, keys_values=None if more is None else more[first_block:])


@pytest.mark.parametrize("name", WHOLE)
def test_what_stands_beside_prompts_comes_back_as_it_was(name: str):
    adapter = made(**WHOLE[name])
    again = decode(encode(adapter))
    assert again.tensors.keys() == adapter.tensors.keys()
    assert all(torch.equal(one, again.tensors[key]) for key, one in adapter.tensors.items())
    assert again.num_parameters == sum(one.numel() for one in adapter.tensors.values())


WRONG: dict[str, tuple[Callable[[], Adapter], str]] = {
    "keys and values of a bare head": (
        lambda: made(keys_values=1, method="linear"),
        "expected tensors .*found .*keys_values",
    ),
    "keys and values with shallow prompts": (
        lambda: made(keys_values=1, method="spt-shallow"),
        "expected tensors .*found .*keys_values",
    ),
    "biases with shallow prompts": (
        lambda: made(biases=True, method="spt-shallow"),
        "expected tensors .*found .*biases",
    ),
    "biases of prompts that begin later": (
        lambda: made(biases=True, depth=4, first_block=1),
        "expected tensors .*found .*biases",
    ),
    "too few layers of keys and values": (
        lambda: replace(made(), keys_values=torch.zeros(1, 3, 2, 4)),
        r"tensor keys_values should be float32 \(2, 3, 2, 4\), found float32 \(1, 3, 2, 4\)",
    ),
    "other heads": (
        lambda: replace(made(), keys_values=torch.zeros(2, 3, 4, 2)),
        "tensor keys_values should be",
    ),
    "no keys and values": (
        lambda: replace(made(), keys_values=torch.zeros(2, 0, 2, 4)),
        "tensor keys_values should be",
    ),
    "biases of another width": (
        lambda: replace(made(), biases=torch.zeros(2, 4)),
        r"tensor biases should be float32 \(2, 8\)",
    ),
    "biases that are no numbers": (
        lambda: replace(made(), biases=torch.full((2, 8), torch.nan)),
        "tensor biases holds NaN",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_does_not_fit_is_named(name: str):
    make, message = WRONG[name]
    with pytest.raises(ArtifactCorrupt, match=message):
        decode(encode(make()))


def test_keys_and_values_count_with_the_prompts_wherever_those_are_bounded(tmp_path: Path):
    adapter = made(prompts=250, keys_values=7)
    assert read_contents(encode(adapter)).num_prompts == 257
    with pytest.raises(ArtifactMismatch, match="257 prompts, the limit is 256"):
        DirectoryStore(tmp_path).publish(encode(adapter))
    with pytest.raises(SptError, match="1,025 prompts, the limit is 1,024"):
        decode(encode(made(prompts=1020, keys_values=5)))
