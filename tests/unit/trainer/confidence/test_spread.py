"""The spread of features gives Mahalanobis' distance, also where images are few or all alike."""

import numpy as np
import pytest

from adapters.artifact.unknown import unit_length
from trainer.confidence.spread import DIRECTIONS, fit_spread
from trainer.confidence.unknown import auroc

WIDTH = 48


def drawn(count: int, seed: int = 0, scale: float = 1.0) -> np.ndarray:
    """Return features with a few wide directions and many narrow ones, and a mean that is not 0."""
    generator = np.random.default_rng(seed)
    turn, _ = np.linalg.qr(np.random.default_rng(9).normal(size=(WIDTH, WIDTH)))
    wide = np.where(np.arange(WIDTH) < 10, 5.0, 0.5) * scale
    return (3 + (generator.normal(size=(count, WIDTH)) * wide) @ turn).astype(np.float32)


def test_the_distance_is_mahalanobis_under_the_covariance_of_a_probabilistic_pca():
    features, others = drawn(300), drawn(5, seed=1, scale=2.0)
    spread = fit_spread(features)
    assert spread.directions.shape == (DIRECTIONS, WIDTH)
    exact, others = unit_length(features), others * 7
    variances, axes = np.linalg.eigh(np.cov(exact, rowvar=False))
    outside = variances[:-DIRECTIONS].mean()
    variances[:-DIRECTIONS] = outside
    precision = axes @ np.diag(outside / variances) @ axes.T
    apart = unit_length(others) - exact.mean(0)
    expected = np.einsum("nd,de,ne->n", apart, precision, apart)
    np.testing.assert_allclose(spread.distance(others), expected, rtol=1e-4)
    np.testing.assert_allclose(spread.distance(others[0]), expected[0], rtol=1e-4)


def test_it_tells_apart_what_lies_elsewhere_though_no_farther_away():
    features, known = drawn(300), drawn(100, seed=1)
    others = np.random.default_rng(2).normal(size=(100, WIDTH)) * features.std() + features.mean()
    spread = fit_spread(features)
    assert auroc(-spread.distance(known), -spread.distance(others)) > 0.99


@pytest.mark.parametrize("count", [1, 2, 3, 40])
def test_of_few_images_the_distance_is_still_a_number_and_none_is_below_zero(count):
    spread = fit_spread(drawn(count))
    assert all(np.isfinite(one).all() for one in spread)
    assert 1 <= len(spread.directions) <= DIRECTIONS
    assert (spread.distance(drawn(50, seed=1)) >= 0).all()


def test_of_images_that_are_all_alike_the_distance_is_that_to_their_feature():
    spread = fit_spread(np.ones((20, WIDTH), np.float32))
    assert not spread.directions.any()
    assert spread.distance(np.full(WIDTH, 3.0)) == pytest.approx(0, abs=1e-6)
    assert spread.distance(np.full(WIDTH, -3.0)) == pytest.approx(4.0)
    assert spread.distance(np.zeros(WIDTH)) == pytest.approx(1.0)
