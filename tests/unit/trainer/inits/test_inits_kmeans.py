"""K-means in one pass: as good as scikit-learn's on all tokens, the same each time, reported."""

import pytest
import torch
from sklearn.cluster import KMeans
from torch import Tensor

from trainer.inits import cluster as module
from trainer.inits.cluster import ClusterMeans
from trainer.inits.lloyd import assign, descend, k_means

GIB = 1 << 30


def blobs(count: int, centres: int = 12, width: int = 8, seed: int = 0) -> Tensor:
    """Return points of overlapping clusters of unlike sizes, in random order."""
    generator = torch.Generator().manual_seed(seed)
    middle = torch.randn(centres, width, generator=generator) * 3
    shares = torch.rand(centres, generator=generator) + 0.1
    which = torch.multinomial(shares, count, replacement=True, generator=generator)
    return middle[which] + torch.randn(count, width, generator=generator) * 1.5


def inertia(points: Tensor, centres: Tensor) -> float:
    return float(torch.cdist(points.double(), centres.double()).square().amin(dim=1).sum())


def stream(points: Tensor, count: int, kept_bytes: int = GIB, **options: bool) -> ClusterMeans:
    means = ClusterMeans(count, kept_bytes, torch.Generator().manual_seed(0), **options)
    for part in points.split(500):
        means.add(part.view(-1, 10, points.shape[1]))
    return means


@pytest.mark.parametrize("count", [2, 10, 20])
def test_lloyds_inertia_is_within_a_percent_of_scikit_learns(count: int):
    points = blobs(6000)
    ours = k_means(points, count, torch.Generator().manual_seed(0))
    theirs = KMeans(count, n_init=3, random_state=0).fit(points.numpy()).inertia_
    assert inertia(points, ours.centres) <= 1.01 * theirs
    assert ours.inertia == pytest.approx(inertia(points, ours.centres), rel=1e-3)
    assert int(ours.sizes.sum()) == len(points)


@pytest.mark.parametrize("count", [10, 20])
def test_a_stream_that_keeps_a_tenth_is_nearly_as_good_as_all_at_once(count: int):
    points = blobs(40_000)
    tenth = points[:4000].nbytes
    means = stream(points, count, tenth)
    theirs = KMeans(count, n_init=3, random_state=0).fit(points.numpy()).inertia_
    assert inertia(points, means.finish()) <= 1.02 * theirs
    assert sum(means.facts()["cluster_sizes"]) == len(points)


def test_no_more_than_the_stated_bytes_are_kept(monkeypatch: pytest.MonkeyPatch):
    seen: list[int] = []

    def spy(tokens: Tensor, *rest: object) -> object:
        seen.append(len(tokens))
        return k_means(tokens, *rest)

    monkeypatch.setattr(module, "k_means", spy)
    points = blobs(10_000)
    stream(points, 5, kept_bytes=points[:3000].nbytes)
    assert seen == [3000]
    monkeypatch.setattr(module, "KEPT_TOKENS", 2000)
    stream(points, 5)
    assert seen == [3000, 2000]


def test_the_centres_of_a_stream_are_running_means():
    points = torch.tensor([[0.0], [1.0], [10.0], [11.0], [2.0], [3.0], [12.0], [21.0]])
    means = ClusterMeans(2, points[:4].nbytes, torch.Generator().manual_seed(0))
    means.add(points[:4].view(1, 4, 1))
    means.add(points[4:].view(1, 4, 1))
    assert sorted(means.finish().flatten().tolist()) == [1.5, 13.5]


def test_the_same_seed_gives_the_same_bytes():
    points = blobs(5000)
    one, again = (stream(points, 8, points[:1000].nbytes).finish() for _ in range(2))
    assert torch.equal(one, again)


def test_fewer_distinct_tokens_than_clusters_still_give_every_centre():
    points = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 5.0]]).repeat(20, 1)
    found = k_means(points, 6, torch.Generator().manual_seed(0))
    assert found.centres.isfinite().all()
    assert found.inertia == pytest.approx(0, abs=1e-6)
    assert {tuple(c) for c in found.centres.round(decimals=4).tolist()} == {
        (0.0, 0.0),
        (1.0, 0.0),
        (0.0, 5.0),
    }


def test_an_empty_cluster_gets_the_farthest_token():
    points = torch.tensor([[0.0], [0.1], [0.2], [9.0]])
    found = descend(points, torch.tensor([[0.1], [100.0]]))
    assert found.reseeded >= 1
    assert sorted(found.centres.flatten().tolist()) == pytest.approx([0.1, 9.0])


@pytest.mark.parametrize("leave", [False, True])
def test_tokens_of_outlying_norm_are_counted_and_left_out_if_asked(leave: bool):
    points = blobs(4000)
    points[[5, 1500, 3900]] *= 100
    means = stream(points, 10, points[:2000].nbytes, leave_outliers=leave)
    assert means.facts()["outliers"] == 3
    assert sum(means.facts()["cluster_sizes"]) == 4000 - 3 * leave
    assert (means.finish().norm(dim=1).max() > 100) == (not leave)


def test_far_from_the_origin_the_clusters_are_the_same():
    points = blobs(3000)
    near = k_means(points, 6, torch.Generator().manual_seed(0))
    far = k_means(points + 1000, 6, torch.Generator().manual_seed(0))
    assert far.inertia == pytest.approx(near.inertia, rel=1e-2)


def test_assignment_is_to_the_nearest_centre():
    points, centres = blobs(300), blobs(7, seed=1)
    nearest, distance = assign(points, centres)
    exact = torch.cdist(points.double(), centres.double())
    assert torch.equal(nearest, exact.argmin(dim=1))
    assert torch.allclose(distance.double(), exact.square().amin(dim=1), atol=1e-3)
