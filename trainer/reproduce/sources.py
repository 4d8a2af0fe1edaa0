"""What a measured cell is of, as far as files tell without a backbone in memory."""

import hashlib
from importlib.metadata import version
from pathlib import Path
from typing import Final

from adapters.artifact.backbone_spec import EMBEDDED
from trainer.data.load import load_task
from trainer.recipe import Recipe
from trainer.training.identity import CLASSES, Identity

WEIGHTS_FILE: Final = "weights_file"


def sources_of(recipe: Recipe, data: Path | None) -> Identity:
    """Return the classes, the digests of images and weights, and the version of this code.

    Args:
        recipe: names task, backbone and weights.
        data: the task's folder; None for built-in tasks.

    Raises:
        DataError: the data are not there or cannot be trained on.
    """
    found = load_task(
        recipe.task,
        data,
        proportion=recipe.data_proportion,
        skip_unreadable=recipe.data.skip_unreadable,
    )
    return {
        CLASSES: list(found.task.class_names),
        **found.fingerprints(),
        WEIGHTS_FILE: _weights_file(recipe),
        "code_version": version("spt-serving"),
    }


def _weights_file(recipe: Recipe) -> str:
    """Return the sha256 of the file; where none is named, whose weights they are."""
    if recipe.weights is None or not recipe.weights.is_file():
        package = "spt-serving" if recipe.backbone == EMBEDDED else "timm"
        return f"{package} {version(package)}"
    with recipe.weights.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
