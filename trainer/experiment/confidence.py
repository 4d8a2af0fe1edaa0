"""What a run says of its own numbers: a temperature, a threshold, and how they do on the test set.

Axis letters: N images, C classes.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float

from adapters.artifact.calibration import Calibration
from adapters.artifact.target import Target
from adapters.artifact.unknown import ScoreName, Spread, UnknownRule, known_score
from trainer.confidence.spread import fit_spread
from trainer.confidence.unknown import auroc, choose_threshold
from trainer.experiment.materials import Materials
from trainer.methods.classifier import Classifier
from trainer.objectives.objective import joined
from trainer.recipe import Recipe
from trainer.training.evaluate import Forward, logits_of
from trainer.training.features import features_of
from trainer.training.images import ImageSet


@dataclass(frozen=True)
class Confidence:
    """What was chosen on the validation split, once a run is trained.

    Attributes:
        calibration: None where scores stay the plain softmax.
        uncalibrated: why they do; empty where they do not.
        unknown: None where every image is taken for one of the classes.
        target: what logits stand for, as the artifact says it; None for one class.
        spread: of the training images' features, where images are unknown by their distance.
    """

    calibration: Calibration | None
    uncalibrated: str
    unknown: UnknownRule | None = None
    target: Target | None = None
    spread: Spread | None = None

    @property
    def temperature(self) -> float:
        """What logits are divided by before the softmax or sigmoid."""
        return 1.0 if self.calibration is None else self.calibration.temperature

    def as_metrics(self) -> dict[str, Any]:
        """Return it as `metrics.json` has it."""
        return {
            "calibration": self.calibration and self.calibration.model_dump(),
            "uncalibrated": self.uncalibrated,
            "unknown": self.unknown and self.unknown.model_dump(),
        }


def choose_confidence(recipe: Recipe, model: Classifier, materials: Materials) -> Confidence:
    """Fit the temperature and choose thresholds on the validation split, as it is served.

    Neither, where it is trained on: every score on it is too high.
    """
    if recipe.data.train_on == "train-and-val":
        return Confidence(None, "the validation images were trained on")
    validation, size, objective = materials.validation, recipe.optim.batch_size, materials.objective
    logits, labels = joined(logits_of(served(model), validation, size))
    found = Confidence(*objective.calibrate(logits, labels))
    found = replace(found, target=objective.target(logits, labels, found.temperature))
    name = recipe.unknown.score
    if name == "off":
        return found
    if name == "distance":
        plain = ImageSet(materials.task_data.train, materials.preprocessing)
        training = plain if materials.training.augment else materials.training
        spread = fit_spread(features_of(model, training, size)[0].numpy())
        found = replace(found, spread=spread)
    known = _known(name, recipe, model, validation, found)
    return replace(found, unknown=choose_threshold(name, known, recipe.unknown.share))


def told_apart(
    recipe: Recipe, model: Classifier, materials: Materials, confidence: Confidence
) -> dict[str, Any]:
    """Return how many test images are rejected, and how well another task's are told from them.

    Nothing without a rule, and no other task where the recipe names none.
    """
    rule = confidence.unknown
    if rule is None:
        return {}
    own = _known(rule.score, recipe, model, materials.test, confidence)
    share = {"test_false_reject_rate": _rejected(own, rule)}
    if materials.others is None:
        return share
    others = _known(rule.score, recipe, model, materials.others, confidence)
    found = {"task": recipe.unknown.other_task, "images": len(others), "auroc": auroc(own, others)}
    return share | {"other_task": found | {"rejected": _rejected(others, rule)}}


def _known(
    name: ScoreName, recipe: Recipe, model: Classifier, images: ImageSet, confidence: Confidence
) -> Float[np.ndarray, " N"]:
    size = recipe.optim.batch_size
    if confidence.spread is not None:
        return -confidence.spread.distance(features_of(model, images, size)[0].numpy())
    logits, _ = joined(logits_of(served(model), images, size))
    return known_score(name, logits.numpy(), confidence.temperature)


def _rejected(known: Float[np.ndarray, " N"], rule: UnknownRule) -> float:
    return float((known < rule.threshold).mean())


def served(model: Classifier) -> Forward:
    """Return the model as it is served: in float32, and not compiled."""
    return lambda pixels: model(pixels.to(model.backbone.device))
