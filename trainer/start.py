"""Where training starts: the first prompts and the first head.

Axis letters: B batch, L layers, P prompts, D width.
"""

from typing import cast

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.utils.data import TensorDataset

from adapters.backbone import Backbone
from trainer.classifier import PromptedClassifier
from trainer.errors import RecipeError
from trainer.head_start import fit_head
from trainer.images import ImageSet, Split, batches
from trainer.inits import random_tokens
from trainer.recipe import Recipe


def start_model(
    recipe: Recipe, backbone: Backbone, num_classes: int, training: ImageSet
) -> PromptedClassifier:
    """Make the model as it is before the first step; the recipe's seed decides it.

    Raises:
        RecipeError: more prompts are asked than there are patch tokens to sample.
    """
    torch.manual_seed(recipe.seed)
    prompts = _first_prompts(recipe, backbone, training) if recipe.num_prompts else None
    model = PromptedClassifier(backbone, num_classes, prompts)
    if recipe.optim.head_start == "fitted":
        fit_head(model.head, *features_of(model, training, recipe.optim.batch_size))
    return model


def features_of(
    model: PromptedClassifier, images: ImageSet, batch_size: int
) -> tuple[Float[Tensor, "B D"], Int64[Tensor, " B"]]:
    """Return what the head sees of every image, and the labels, in order."""
    features, labels = [], []
    with torch.no_grad():
        for pixels, found in batches(images, batch_size):
            features.append(model.features(pixels))
            labels.append(found)
    return torch.cat(features), torch.cat(labels)


def cached(model: PromptedClassifier, images: ImageSet, batch_size: int) -> Split:
    """Return a split of features in place of pixels."""
    return cast(Split, TensorDataset(*features_of(model, images, batch_size)))


def _first_prompts(
    recipe: Recipe, backbone: Backbone, training: ImageSet
) -> Float[Tensor, "L P D"]:
    pixels, _ = next(batches(training, recipe.prompt.init_images, shuffle=True))
    available = len(pixels) * backbone.trunk.patch_embed.num_patches
    if recipe.num_prompts > available:
        raise RecipeError(
            f"prompt.num_tokens is {recipe.num_prompts}, but {len(pixels)} images have only "
            f"{available} patch tokens to sample; lower it or raise prompt.init_images"
        )
    return random_tokens(
        backbone,
        pixels,
        num_tokens=recipe.num_prompts,
        num_layers=backbone.spec.depth if recipe.method == "spt-deep" else 1,
        generator=torch.Generator().manual_seed(recipe.seed),
    )
