"""What a run says of its own numbers: a temperature, a threshold, and how they do on the test set.

Axis letters: N images, C classes.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from torch import Tensor

from adapters.artifact.calibration import Calibration
from adapters.artifact.target import Target
from adapters.artifact.unknown import UnknownRule, known_score
from trainer.confidence.unknown import auroc, choose_threshold
from trainer.experiment.materials import Materials
from trainer.methods.classifier import Classifier
from trainer.objectives.objective import joined
from trainer.recipe import Recipe
from trainer.training.evaluate import Forward, logits_of


@dataclass(frozen=True)
class Confidence:
    """What was chosen on the validation split, once a run is trained.

    Attributes:
        calibration: None where scores stay the plain softmax.
        uncalibrated: why they do; empty where they do not.
        unknown: None where every image is taken for one of the classes.
        target: what logits stand for, as the artifact says it; None for one class.
    """

    calibration: Calibration | None
    uncalibrated: str
    unknown: UnknownRule | None
    target: Target | None = None

    @property
    def temperature(self) -> float:
        """What logits are divided by before the softmax or sigmoid."""
        return 1.0 if self.calibration is None else self.calibration.temperature

    def rejects(self, logits: Float[Tensor, "N C"]) -> Bool[np.ndarray, " N"]:
        """Return whether each image is unknown."""
        if self.unknown is None:
            return np.zeros(len(logits), dtype=bool)
        return self.unknown.rejects(logits.numpy(), self.temperature)

    def as_metrics(self) -> dict[str, Any]:
        """Return it as `metrics.json` has it."""
        return {
            "calibration": self.calibration and self.calibration.model_dump(),
            "uncalibrated": self.uncalibrated,
            "unknown": self.unknown and self.unknown.model_dump(),
        }


def choose_confidence(recipe: Recipe, model: Classifier, materials: Materials) -> Confidence:
    """Fit the temperature and choose thresholds on the validation split, as it is served."""
    validation, objective = materials.validation, materials.objective
    logits, labels = joined(logits_of(served(model), validation, recipe.optim.batch_size))
    found = Confidence(*objective.calibrate(logits, labels), unknown=None)
    found = replace(found, target=objective.target(logits, labels, found.temperature))
    if recipe.unknown.score == "off":
        return found
    name = recipe.unknown.score
    known = known_score(name, logits.numpy(), found.temperature)
    rule = choose_threshold(name, known, recipe.unknown.share)
    return replace(found, unknown=rule)


def told_apart(
    recipe: Recipe, model: Classifier, materials: Materials, confidence: Confidence
) -> dict[str, Any]:
    """Return how well the images of another task are told from this one's; nothing without one."""
    rule = confidence.unknown
    if materials.others is None or rule is None:
        return {}
    of_both = (
        joined(logits_of(served(model), images, recipe.optim.batch_size))[0]
        for images in (materials.test, materials.others)
    )
    own, others = (
        known_score(rule.score, logits.numpy(), confidence.temperature) for logits in of_both
    )
    found = {"task": recipe.unknown.other_task, "images": len(others), "auroc": auroc(own, others)}
    rejected = float((others < rule.threshold).mean())
    return {"other_task": found | {"rejected": rejected}}


def served(model: Classifier) -> Forward:
    """Return the model as it is served: in float32, and not compiled."""
    return lambda pixels: model(pixels.to(model.backbone.device))
