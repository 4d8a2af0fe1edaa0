"""Pooled prompts are the paper's windows over the batch, or the official code's per image."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from trainer.inits.pool import BatchPool, ImagePool, Pool

IMAGES, N, D = 6, 7, 3
TOKENS = torch.randn(IMAGES, N, D, generator=torch.Generator().manual_seed(0))


def feed(pool: BatchPool | ImagePool, sizes: tuple[int, ...] = (2, 3, 1)) -> Tensor:
    for part in TOKENS.split(sizes):
        pool.add(part)
    return pool.finish()


@pytest.mark.parametrize("count", [1, 2, 5, 6, 42])
@pytest.mark.parametrize("kind", ["mean", "max"])
def test_over_the_batch_is_torchs_pooling_with_kernel_and_stride_floor_of_t_over_p(
    kind: Pool, count: int
):
    rows = TOKENS.flatten(0, 1).T[None]
    function = F.avg_pool1d if kind == "mean" else F.max_pool1d
    expected = function(rows, IMAGES * N // count)[0].T[:count]
    assert torch.allclose(feed(BatchPool(IMAGES * N, count, kind)), expected, atol=1e-6)


@pytest.mark.parametrize("kind", ["mean", "max"])
def test_per_image_every_prompt_is_a_window_of_one_image(kind: Pool):
    made = feed(ImagePool((IMAGES, N), 4, kind, np.random.default_rng(0)))
    windows = [TOKENS[:, 0:2], TOKENS[:, 2:4], TOKENS[:, 4:6], TOKENS[:, 6:7]]
    pooled = torch.cat([w.mean(dim=1) if kind == "mean" else w.amax(dim=1) for w in windows])
    distance, place = (made[:, None] - pooled[None]).abs().amax(dim=2).min(dim=1)
    assert distance.max() < 1e-6
    assert len(set(place.tolist())) == 4


def test_a_single_prompt_per_image_pools_the_whole_image():
    made = feed(ImagePool((IMAGES, N), 1, "mean", np.random.default_rng(0)))
    assert (made - TOKENS.mean(dim=1)).abs().amax(dim=1).min() < 1e-6


def test_windows_of_an_image_have_no_remainder_where_they_divide_it():
    made = ImagePool((IMAGES, 6), 4, "max", np.random.default_rng(0))
    made.add(TOKENS[:, :6])
    whole = TOKENS[:, :6].amax(dim=1)
    assert (made.finish()[:, None] - whole[None]).abs().amax(dim=2).min() > 0
