"""What a run found before it trains, in lines for people and logs."""

from trainer.data.images.copies import copies_told
from trainer.experiment.materials import Materials
from trainer.recipe import Recipe


def found(recipe: Recipe, materials: Materials) -> str:
    """Return task, sizes of its splits, backbone and device."""
    data, backbone = materials.task_data, materials.backbone
    skipped = f" ({len(data.left_out):,} unreadable files left out)" if data.left_out else ""
    if "test" in data.held_out:
        skipped += " (the seed drew the test images: the data name none)"
    if recipe.data.train_on == "train-and-val":
        skipped += " (the validation images are trained on)"
    learned = f"{len(data.task.class_names):,} classes" if data.has_classes else "a number"
    return (
        f"{recipe.task}: {learned}, {len(data.train):,} training, "
        f"{len(data.val):,} validation and {len(data.test):,} test images{skipped}; "
        f"{backbone.spec.name}, weights {backbone.spec.weights_sha256[:12]}, on {backbone.device}"
    )


def warned(materials: Materials) -> str:
    """Return what to be careful with in these data, in a line; empty for nothing."""
    return copies_told(materials.copies)
