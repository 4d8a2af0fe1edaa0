"""A rule by distance travels with its tensors; other rules, and none, have the bytes of before."""

from dataclasses import replace

import numpy as np
import pytest

from adapters.artifact.codec import read_contents, write_contents
from adapters.artifact.unknown import Spread, UnknownRule
from adapters.errors import ArtifactCorrupt
from adapters.vit.adapter import Adapter, decode, encode
from tests.fakes.artifacts import make_adapter

WIDTH = 8
RULE = UnknownRule(score="distance", threshold=-2.0, images=100, false_reject_rate=0.05)


def with_rule(rule: UnknownRule, spread: Spread | None) -> Adapter:
    adapter = make_adapter(width=WIDTH)
    meta = adapter.meta.model_copy(update={"unknown": rule})
    return replace(adapter, meta=meta, spread=spread)


def some_spread(directions: int) -> Spread:
    numbers = np.random.default_rng(0).normal(size=(directions + 1, WIDTH)).astype(np.float32)
    return Spread(numbers[0], numbers[1:])


def test_the_spread_comes_back() -> None:
    adapter = with_rule(RULE, some_spread(3))
    found = decode(encode(adapter))
    assert found.meta.unknown == RULE
    assert found.spread is not None
    for one, other in zip(found.spread, adapter.spread, strict=True):
        np.testing.assert_array_equal(one, other)
    assert encode(found) == encode(adapter)


def test_other_rules_have_none() -> None:
    rule = RULE.model_copy(update={"score": "energy"})
    assert decode(encode(with_rule(rule, None))).spread is None
    assert read_contents(encode(make_adapter())).tensors.keys() == {
        "prompts", "head.weight", "head.bias",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "changes"),
    [
        (RULE, {"unknown.mean": None}),
        (RULE, {"unknown.directions": None}),
        (RULE, {"unknown.mean": np.zeros(WIDTH + 1, np.float32)}),
        (RULE, {"unknown.directions": np.zeros((0, WIDTH), np.float32)}),
        (RULE, {"unknown.directions": np.zeros((3, WIDTH + 1), np.float32)}),
        (RULE, {"unknown.directions": np.zeros((WIDTH + 1, WIDTH), np.float32)}),
        (RULE, {"unknown.directions": np.zeros(WIDTH, np.float32)}),
        (RULE, {"unknown.directions": np.full((3, WIDTH), np.nan, np.float32)}),
        (RULE.model_copy(update={"score": "energy"}), {}),
    ],
)
def test_tensors_that_contradict_the_rule_are_refused(
    rule: UnknownRule, changes: dict[str, np.ndarray | None]
) -> None:
    whole = read_contents(encode(with_rule(RULE, some_spread(3))))
    tensors = {name: one for name, one in (whole.tensors | changes).items() if one is not None}
    meta = whole.meta.model_copy(update={"unknown": rule})
    with pytest.raises(ArtifactCorrupt, match="unknown"):
        read_contents(write_contents(meta, tensors))
