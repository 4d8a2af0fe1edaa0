"""An artifact may hold keys and values beside deep prompts, and biases; wrong ones are refused."""

from pathlib import Path

import pytest
import torch

from adapters.artifact.codec import read_contents, write_contents
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


def with_tensors(adapter: Adapter, **tensors: torch.Tensor) -> bytes:
    """Return an adapter's artifact with such tensors, whether they fit it or not."""
    named = {name: one.numpy() for name, one in (adapter.tensors | tensors).items()}
    return write_contents(adapter.meta, named)


@pytest.mark.parametrize("name", WHOLE)
def test_what_stands_beside_prompts_comes_back_as_it_was(name: str):
    adapter = adapter_with(**WHOLE[name])
    again = decode(encode(adapter))
    assert again.tensors.keys() == adapter.tensors.keys()
    assert all(torch.equal(one, again.tensors[key]) for key, one in adapter.tensors.items())
    assert again.num_parameters == sum(one.numel() for one in adapter.tensors.values())


KEYS, BIASES = {"keys_values": torch.zeros(2, 1, 2, 4)}, {"biases": torch.zeros(2, 8)}
WRONG: dict[str, tuple[dict[str, object], dict[str, torch.Tensor], str]] = {
    "keys and values of a bare head": (
        {"method": "linear"},
        KEYS,
        "expected tensors .*found .*keys_values",
    ),
    "keys and values with shallow prompts": (
        {"method": "spt-shallow"},
        KEYS,
        "expected tensors .*found .*keys_values",
    ),
    "biases with shallow prompts": (
        {"method": "spt-shallow"},
        BIASES,
        "expected tensors .*found .*biases",
    ),
    "biases of prompts that begin later": (
        {"depth": 4, "first_block": 1},
        BIASES,
        "expected tensors .*found .*biases",
    ),
    "too few layers of keys and values": (
        {},
        {"keys_values": torch.zeros(1, 3, 2, 4)},
        r"tensor keys_values should be float32 \(2, 3, 2, 4\), found float32 \(1, 3, 2, 4\)",
    ),
    "other heads": (
        {},
        {"keys_values": torch.zeros(2, 3, 4, 2)},
        "tensor keys_values should be",
    ),
    "no keys and values": (
        {},
        {"keys_values": torch.zeros(2, 0, 2, 4)},
        "tensor keys_values should be",
    ),
    "biases of another width": (
        {},
        {"biases": torch.zeros(2, 4)},
        r"tensor biases should be float32 \(2, 8\)",
    ),
    "biases that are no numbers": (
        {},
        {"biases": torch.full((2, 8), torch.nan)},
        "tensor biases holds NaN",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_does_not_fit_is_named(name: str):
    options, tensors, message = WRONG[name]
    with pytest.raises(ArtifactCorrupt, match=message):
        decode(with_tensors(adapter_with(**options), **tensors))


def test_keys_and_values_count_with_the_prompts_wherever_those_are_bounded(tmp_path: Path):
    adapter = adapter_with(prompts=250, keys_values=7)
    assert read_contents(encode(adapter)).num_prompts == 257
    with pytest.raises(ArtifactMismatch, match="257 prompts, the limit is 256"):
        DirectoryStore(tmp_path).publish(encode(adapter))
    with pytest.raises(SptError, match="1,025 prompts, the limit is 1,024"):
        decode(encode(adapter_with(prompts=1020, keys_values=5)))
