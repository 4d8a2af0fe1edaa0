"""What is looked at between epochs, when the recipe's report part asks; nothing is changed."""

from collections.abc import Sequence
from typing import get_args

from trainer.experiment.materials import Materials
from trainer.measures.nmi import Reading, nmi_of_layers
from trainer.methods.classifier import Classifier
from trainer.recipe import Recipe
from trainer.training.evaluate import accuracy
from trainer.training.forward import forward_of
from trainer.training.images import ImageSet, batches
from trainer.training.loop import Observer


def observers_of(recipe: Recipe, materials: Materials, model: Classifier) -> Sequence[Observer]:
    """Return the observers that the recipe asks for."""
    chosen: list[Observer] = []
    if recipe.report.nmi_images and model.changes().keys() == {"prompts"}:
        chosen.append(_nmi(recipe, materials, model))
    if recipe.report.test_each_epoch:
        chosen.append(_test(recipe, materials, model))
    return chosen


def _nmi(recipe: Recipe, materials: Materials, model: Classifier) -> Observer:
    count = recipe.report.nmi_images
    images = ImageSet(materials.validation.samples[:count], materials.preprocessing)

    def observe() -> tuple[str, object]:
        prompts = model.changes()["prompts"].detach()
        pixels = [pixels for pixels, _ in batches(images, recipe.optim.batch_size)]
        return "nmi", {
            reading: nmi_of_layers(materials.backbone, prompts, pixels, reading)
            for reading in get_args(Reading)
        }

    return observe


def _test(recipe: Recipe, materials: Materials, model: Classifier) -> Observer:
    forward = forward_of(model, recipe, materials.backbone.device)

    def observe() -> tuple[str, object]:
        return "test_accuracies", accuracy(forward, materials.test, recipe.optim.batch_size)

    return observe
