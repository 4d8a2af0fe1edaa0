"""A temperature under which scores mean what they say, and how far scores are from it.

Guo et al., "On Calibration of Modern Neural Networks", 2017. Axis letters: N images, C classes.
"""

import math
from collections.abc import Callable
from typing import Final, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64
from scipy.optimize import minimize_scalar
from torch import Tensor

from adapters.artifact.calibration import MAX_TEMPERATURE, MIN_TEMPERATURE, Calibration

BINS: Final = 15
LEAST_IMAGES: Final = 50
"""Validation images; fewer say too little of how sure a model may be."""


class Calibrated(NamedTuple):
    """What became of a calibration.

    Attributes:
        calibration: None where the scores stay the plain softmax.
        reason: why they do, in words; empty where they do not.
    """

    calibration: Calibration | None
    reason: str = ""


def calibrate(logits: Float[Tensor, "N C"], labels: Int64[Tensor, " N"]) -> Calibrated:
    """Fit a temperature on validation images, where they can tell one."""
    is_right = logits.argmax(dim=1) == labels
    if len(labels) < LEAST_IMAGES:
        return Calibrated(None, _too_few(len(labels)))
    if is_right.all():
        return Calibrated(None, "every validation image is named right, so none limits the scores")
    temperature = fit_temperature(logits, labels)
    before, after = (calibration_error(scores_of(logits, t), is_right) for t in (1.0, temperature))
    found = Calibration(
        temperature=temperature, images=len(labels), error_before=before, error_after=after
    )
    return Calibrated(found)


def calibrate_each(logits: Float[Tensor, "N C"], has: Float[Tensor, "N C"]) -> Calibrated:
    """Fit the temperature of sigmoids on validation images: of every class of every image."""
    if len(has) < LEAST_IMAGES:
        return Calibrated(None, _too_few(len(has)))
    marks = (has > 0).flatten()
    if bool(((logits.flatten() > 0) == marks).all()):
        return Calibrated(None, "every class of every validation image is named right")
    exact, wanted = logits.double(), has.double()
    temperature = _likeliest(
        lambda one: F.binary_cross_entropy_with_logits(exact / one, wanted).item()
    )
    before, after = (calibration_error(each_score(logits, t), marks) for t in (1.0, temperature))
    found = Calibration(
        temperature=temperature, images=len(has), error_before=before, error_after=after
    )
    return Calibrated(found)


def each_score(logits: Float[Tensor, "N C"], temperature: float) -> Float[Tensor, " NC"]:
    """Return the probability of every class of every image of a multi-label task, in one row."""
    return (logits / temperature).sigmoid().flatten()


def fit_temperature(logits: Float[Tensor, "N C"], labels: Int64[Tensor, " N"]) -> float:
    """Return the temperature under which the labels are likeliest, to four digits."""
    exact = logits.double()
    return _likeliest(lambda one: F.cross_entropy(exact / one, labels).item())


def _likeliest(loss_at: Callable[[float], float]) -> float:
    """Return the temperature of the least loss.

    The mean negative log-likelihood is convex in the temperature's inverse, so it has one minimum
    over the temperature's logarithm, too.
    """

    def loss(log_temperature: float) -> float:
        return loss_at(math.exp(log_temperature))

    bounds = math.log(MIN_TEMPERATURE), math.log(MAX_TEMPERATURE)
    best = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-5})
    # rounded, so that the last bits of a sum do not give another artifact
    return float(f"{math.exp(best.x):.4g}")


def _too_few(images: int) -> str:
    return f"{images} validation images are too few, expected {LEAST_IMAGES} or more"


def scores_of(logits: Float[Tensor, "N C"], temperature: float) -> Float[Tensor, " N"]:
    """Return the probability of each image's best class."""
    return (logits / temperature).softmax(dim=1).amax(dim=1)


def calibration_error(scores: Float[Tensor, " N"], is_right: Bool[Tensor, " N"]) -> float:
    """Return the expected calibration error, in [0, 1].

    Images are put into bins of equal width by their score. Of each bin the difference between the
    mean score and the share of right answers counts, as often as there are images in the bin.

    Args:
        scores: of the classes that are named, in [0, 1].
        is_right: whether they are the images' own.
    """
    bins = (scores.double() * BINS).ceil().long().clamp(1, BINS) - 1
    gaps = torch.zeros(BINS, dtype=torch.float64)
    gaps.index_add_(0, bins, scores.double() - is_right.double())
    return float(gaps.abs().sum()) / len(scores)
