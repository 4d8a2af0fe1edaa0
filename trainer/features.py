"""Features computed once, for a head on top of them. Axis letters: B batch, D width."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.utils.data import TensorDataset

from trainer.images import ImageSet, batches
from trainer.methods.classifier import Classifier


def features_of(
    model: Classifier, images: ImageSet, batch_size: int
) -> tuple[Float[Tensor, "B D"], Int64[Tensor, " B"]]:
    """Return what the head sees of every image, and the labels, in order, on the CPU."""
    features, labels = [], []
    with torch.no_grad():
        for pixels, found in batches(images, batch_size):
            features.append(model.features(pixels.to(model.backbone.device)).cpu())
            labels.append(found)
    return torch.cat(features), torch.cat(labels)


def cached(model: Classifier, images: ImageSet, batch_size: int) -> TensorDataset:
    """Return a split of features in place of pixels."""
    return TensorDataset(*features_of(model, images, batch_size))
