"""Where training starts: the first prompts and the first head.

Axis letters: B batch, D width, M layers with prompts, P prompts.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from adapters.vit.backbone import Backbone
from trainer.data.load import load_task
from trainer.inits.class_map import groups_of_classes
from trainer.inits.first_prompts import FirstPrompts, first_prompts, prompt_shape
from trainer.methods.build import build
from trainer.methods.classifier import HEAD_STD, Classifier
from trainer.methods.variants.guided import GuidedClassifier
from trainer.recipe import Recipe
from trainer.training.features import features_of
from trainer.training.head_start import fit_head
from trainer.training.images import ImageSet


def start_model(
    recipe: Recipe, backbone: Backbone, num_classes: int, training: ImageSet
) -> tuple[Classifier, dict[str, object]]:
    """Make the model as it is before the first step, and the facts of how its prompts were made.

    The recipe's seed decides it.

    Raises:
        RecipeError: more prompts are asked than there are patch tokens to start from.
        DataError: the other task, whose images the prompts are made from, cannot be read.
    """
    first = FirstPrompts(None)
    if recipe.num_prompts:
        first = first_prompts(recipe, backbone, _init_images(recipe, training))
    model = _build(recipe, backbone, num_classes, first.prompts)
    if isinstance(model, GuidedClassifier) and num_classes > recipe.num_prompts:
        bare = features_of(Classifier(backbone, num_classes), training, recipe.optim.batch_size)
        generator = torch.Generator().manual_seed(recipe.seed)
        shape = num_classes, recipe.num_prompts
        model.prompt_of.copy_(groups_of_classes(*bare, shape, generator))
    if recipe.optim.head_std != HEAD_STD:
        nn.init.trunc_normal_(model.head.weight, std=recipe.optim.head_std)
    if recipe.optim.head_start == "fitted":
        fit_head(model.head, *features_of(model, training, recipe.optim.batch_size))
    return model, first.facts


def blank_model(recipe: Recipe, backbone: Backbone, num_classes: int) -> Classifier:
    """Make a model whose numbers are to be restored, so that nothing needs to be computed."""
    shape = prompt_shape(recipe, backbone)
    prompts = torch.zeros(*shape, backbone.spec.width) if recipe.num_prompts else None
    return _build(recipe, backbone, num_classes, prompts)


def _build(
    recipe: Recipe, backbone: Backbone, num_classes: int, prompts: Float[Tensor, "M P D"] | None
) -> Classifier:
    torch.manual_seed(recipe.seed)
    return build(
        recipe.method,
        backbone,
        num_classes,
        prompts,
        frozen=recipe.prompt.frozen,
        **recipe.method_options,
    )


def _init_images(recipe: Recipe, training: ImageSet) -> ImageSet:
    """Return the images whose tokens become prompts (paper, Fig. 3b: those of any task)."""
    other = recipe.prompt.init_task
    if other is None:
        return training
    samples = load_task(other, recipe.prompt.init_data, recipe.seed).train
    return ImageSet(samples, training.preprocessing, augment=training.augment_by)
