"""A temperature is the likeliest one, and the calibration error is what its paper says."""

import pytest
import torch
import torch.nn.functional as F

from trainer.confidence.calibration import (
    LEAST_IMAGES,
    calibrate,
    calibration_error,
    fit_temperature,
    scores_of,
)


def drawn(count: int, sharpness: float, seed: int = 0):
    """Return logits that are so many times too sharp, and labels drawn as the true ones say."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(count, 5, generator=generator) * 2
    labels = torch.multinomial(logits.softmax(1), 1, generator=generator)[:, 0]
    return logits * sharpness, labels


def test_the_calibration_error_is_that_of_bins_of_equal_width():
    scores = torch.tensor([0.95, 0.95, 0.61, 0.62, 1.0, 0.0])
    is_right = torch.tensor([True, False, True, True, True, False])
    # the bins: 0.95, 0.95 and 1.0 together, 0.61 and 0.62, and 0.0
    assert calibration_error(scores, is_right) == pytest.approx((0.9 + 0.77 + 0.0) / 6)
    assert calibration_error(torch.ones(3), torch.zeros(3, dtype=torch.bool)) == 1


@pytest.mark.parametrize("sharpness", [0.3, 1.0, 4.0])
def test_the_temperature_undoes_what_made_the_logits_too_sharp_or_too_dull(sharpness):
    logits, labels = drawn(20_000, sharpness)
    assert fit_temperature(logits, labels) == pytest.approx(sharpness, rel=0.05)


def test_no_other_temperature_makes_the_labels_likelier():
    logits, labels = drawn(300, 3.0)
    best = fit_temperature(logits, labels)

    def loss(temperature: float) -> float:
        return float(F.cross_entropy(logits.double() / temperature, labels))

    assert all(loss(best) <= loss(best * factor) for factor in (0.2, 0.9, 0.99, 1.01, 1.1, 5.0))


def test_a_temperature_of_some_images_lowers_the_error_of_others():
    logits, labels = drawn(400, 5.0)
    found, reason = calibrate(logits, labels)
    assert (found.images, reason) == (400, "")
    assert found.error_after < found.error_before
    others, their_labels = drawn(2_000, 5.0, seed=1)
    is_right = others.argmax(1) == their_labels
    before, after = (
        calibration_error(scores_of(others, t), is_right) for t in (1.0, found.temperature)
    )
    assert after < 0.05
    assert before > 0.1


def test_of_too_few_images_no_temperature_is_fitted():
    logits, labels = drawn(LEAST_IMAGES, 5.0)
    assert calibrate(logits, labels).calibration is not None
    found, reason = calibrate(logits[1:], labels[1:])
    assert found is None
    assert "49 validation images are too few, expected 50 or more" in reason


def test_where_all_images_are_named_right_no_temperature_is_the_likeliest():
    logits, _ = drawn(100, 1.0)
    found, reason = calibrate(logits, logits.argmax(1))
    assert found is None
    assert "every validation image is named right" in reason
