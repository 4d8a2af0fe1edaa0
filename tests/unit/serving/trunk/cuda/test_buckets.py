"""Buckets have room for their rows and waste little; what fills them up changes no row."""

import pytest
import torch

from adapters.vit.prompting import DeepPrompts, ShallowPrompts
from serving.trunk.cuda.buckets import bucket_of, buckets_up_to, fill, fill_prompts


def test_the_buckets_are_few_and_near():
    assert buckets_up_to(40) == [40, 32, 24, 16, 12, 8, 4, 2, 1]
    assert buckets_up_to(1) == [1]
    computed = sum(bucket_of(rows) for rows in range(1, 65))
    assert computed / sum(range(1, 65)) < 1.12


@pytest.mark.parametrize("max_batch", [1, 3, 20, 33, 64])
def test_every_batch_has_a_bucket_among_those_that_are_warmed_up(max_batch):
    buckets = buckets_up_to(max_batch)
    for rows in range(1, max_batch + 1):
        assert rows <= bucket_of(rows) < rows + 8
        assert bucket_of(rows) in buckets


def test_rows_and_keys_that_fill_up_are_zeros_behind_a_mask():
    prompts = DeepPrompts(torch.randn(2, 3, 4, 2, 1, 5), torch.zeros(2, 3, 4), torch.randn(2, 4, 5))
    filled = fill_prompts(prompts, bucket=4, length=6)
    assert torch.equal(filled.prefix[:2, :, :4], prompts.prefix)
    masked = [[[False] * 4 + [True] * 2] * 3] * 2 + [[[False] * 6] * 3] * 2
    assert filled.mask.isneginf().tolist() == masked
    assert torch.equal(filled.last, fill(prompts.last, 4))
    assert not filled.prefix[2:].any()
    assert not filled.prefix[:, :, 4:].any()


def test_prompts_that_are_tokens_get_rows_alone():
    tokens = torch.randn(3, 2, 5)
    filled = fill_prompts(ShallowPrompts(tokens), bucket=4, length=0)
    assert torch.equal(filled.tokens, torch.cat([tokens, torch.zeros(1, 2, 5)]))
    assert fill_prompts(None, bucket=4, length=0) is None
