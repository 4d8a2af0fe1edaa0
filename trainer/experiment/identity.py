"""What a run is of: its recipe, its images by name and content, and its backbone."""

from trainer.data.load import load_task
from trainer.data.task_data import fingerprint
from trainer.experiment.materials import Materials
from trainer.recipe import Recipe
from trainer.training.identity import CLASSES, Identity


def identity_of(recipe: Recipe, materials: Materials) -> Identity:
    """Return what the state of a run keeps, and what a later run must be of to go on from it.

    Places of files do not count, their contents do.

    Raises:
        DataError: the other task, whose images the prompts are made from, cannot be read.
    """
    return {
        **recipe.provenance(),
        CLASSES: list(materials.task_data.task.class_names),
        **materials.fingerprints,
        **_init_images(recipe),
        "backbone_spec": materials.backbone.spec.model_dump(mode="json"),
        "preprocessing": materials.preprocessing.model_dump(mode="json"),
    }


def _init_images(recipe: Recipe) -> Identity:
    other = recipe.prompt.init_task
    if other is None:
        return {}
    samples = load_task(other, recipe.prompt.init_data, recipe.seed).train
    return {"init_task_images": fingerprint(samples)}
