"""What a run works with: the images of its splits and the frozen backbone."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from adapters.artifact.bounds import check_pixels
from adapters.artifact.preprocessing import Preprocessing
from adapters.vit.backbone import Backbone, choose_device, load_backbone
from trainer.data.bad_files import bad_files, refuse_bad
from trainer.data.images.copies import Copy
from trainer.data.labels.groups import read_groups
from trainer.data.labels.rules import LabelRules
from trainer.data.load import load_task
from trainer.data.task_data import TaskData
from trainer.data.together import with_validation
from trainer.experiment.kept_backbone import kept
from trainer.objectives.choose import objective_of
from trainer.objectives.objective import Objective
from trainer.recipe import Recipe
from trainer.training.features import FeatureCache
from trainer.training.images import ImageSet


@dataclass(frozen=True)
class Materials:
    """What runs of one task on one backbone share.

    Attributes:
        task_data: lists, class names.
        backbone: frozen, on the device.
        training: images that gradients come from.
        validation: images that selection may look at.
        test: images for the final number only.
        fingerprints: what tells the images of each split from others, as they were read.
        training_features: of `training`, for heads whose features never change.
        validation_features: of `validation`, likewise.
        others: test images of another task, for the report of unknown ones.
        copies: images that are in two splits, by their bytes.
        class_groups: the group of each class, in label order.
    """

    task_data: TaskData
    backbone: Backbone
    training: ImageSet
    validation: ImageSet
    test: ImageSet
    fingerprints: Mapping[str, Mapping[str, Any]]
    training_features: FeatureCache = field(default_factory=FeatureCache)
    validation_features: FeatureCache = field(default_factory=FeatureCache)
    others: ImageSet | None = None
    copies: Sequence[Copy] = ()
    class_groups: tuple[str, ...] | None = None

    @cached_property
    def objective(self) -> Objective:
        """What is minimised and measured."""
        return objective_of(self.task_data)

    @property
    def preprocessing(self) -> Preprocessing:
        """How images become pixels, in training and in service."""
        return self.test.preprocessing


def prepare(recipe: Recipe, data: Path | None) -> Materials:
    """Read the lists, check every image and load the backbone.

    Args:
        recipe: names task, backbone and the rules of pixels.
        data: the task's folder; None for built-in tasks.

    Raises:
        DataError: the data are not there or cannot be trained on.
        SptError: the backbone or its weights cannot be had.
    """
    skip = recipe.data.skip_unreadable
    task_data = load_task(
        recipe.task,
        data,
        recipe.seed,
        proportion=recipe.data_proportion,
        shots=recipe.data.shots,
        skip_unreadable=skip,
        labels=LabelRules(recipe.target, recipe.data.label_separator, recipe.data.class_order),
    )
    groups = recipe.data.class_groups
    class_groups = None if groups is None else read_groups(groups, task_data.task.class_names)
    if not skip:
        refuse_bad(task_data, bad_files(task_data))
    backbone = kept(backbone_key(recipe), lambda: _load(recipe))
    rule = preprocessing_of(recipe, backbone)
    contents = task_data.contents()
    copies = task_data.copies(contents)
    if recipe.data.train_on == "train-and-val":
        task_data = with_validation(task_data)
        contents["train"] = contents["train"] + contents["val"]
    augment = recipe.pixels.augment
    return Materials(
        task_data,
        backbone,
        training=ImageSet(task_data.train, rule, augment=augment).load(),
        validation=ImageSet(task_data.val, rule).load(),
        test=ImageSet(task_data.test, rule),
        fingerprints=task_data.fingerprints(contents),
        others=_others(recipe, rule),
        copies=copies,
        class_groups=class_groups,
    )


def backbone_key(recipe: Recipe) -> Hashable:
    """Return what is the same for recipes whose runs have the same backbone."""
    pixels = recipe.pixels
    read_out = recipe.image_size, recipe.pooling, recipe.final_norm
    return (recipe.backbone, recipe.weights, *read_out, pixels.mean, pixels.std)


def _load(recipe: Recipe) -> Backbone:
    return load_backbone(
        recipe.backbone,
        recipe.weights,
        image_size=recipe.image_size,
        device=choose_device(),
        pooling=recipe.pooling,
        final_norm=recipe.final_norm,
        mean=recipe.pixels.mean,
        std=recipe.pixels.std,
    )


def _others(recipe: Recipe, rule: Preprocessing) -> ImageSet | None:
    asked = recipe.unknown
    if asked.other_task is None:
        return None
    return ImageSet(load_task(asked.other_task, asked.other_data, recipe.seed).test, rule)


def preprocessing_of(recipe: Recipe, backbone: Backbone) -> Preprocessing:
    """Return the backbone's preprocessing under the recipe's resize rule.

    Raises:
        ArtifactMismatch: no service would take an adapter that asks for it.
    """
    own = backbone.preprocessing
    pixels = recipe.pixels
    size = pixels.resize_size or own.resize_size
    rule = own.model_copy(
        update={
            "resize": pixels.resize,
            "resize_size": size,
            "interpolation": pixels.interpolation,
            "decoder": pixels.decoder,
        }
    )
    check_pixels(recipe.task, rule, backbone.spec.image_size)
    return rule
