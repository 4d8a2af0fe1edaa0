"""Features computed once, for a head on top of them. Axis letters: B batch, D width."""

import hashlib

import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils.data import TensorDataset

from trainer.methods.classifier import Classifier
from trainer.training.images import ImageSet, batches


def features_of(
    model: Classifier, images: ImageSet, batch_size: int
) -> tuple[Float[Tensor, "B D"], Tensor]:
    """Return what the head sees of every image, and the labels, in order, on the CPU."""
    features, labels = [], []
    with torch.no_grad():
        for pixels, found in batches(images, batch_size):
            features.append(model.features(pixels.to(model.backbone.device)).cpu())
            labels.append(found)
    return torch.cat(features), torch.cat(labels)


class FeatureCache:
    """Features of one split, kept for as long as runs ask for the same model's."""

    def __init__(self) -> None:
        self._digest = ""
        self._features: TensorDataset | None = None

    def of(self, model: Classifier, images: ImageSet, batch_size: int) -> TensorDataset:
        """Return a split of features in place of pixels.

        Args:
            model: what is in front of its head decides whether they are computed anew.
            images: the split, the same in every call.
            batch_size: images of a forward.
        """
        digest = _digest(model)
        if self._features is None or digest != self._digest:
            self._features = TensorDataset(*features_of(model, images, batch_size))
            self._digest = digest
        return self._features


def _digest(model: Classifier) -> str:
    """Return what tells apart models of one backbone whose features differ."""
    digest = hashlib.sha256(type(model).__name__.encode())
    for name, tensor in model.state_dict().items():
        if not name.startswith("head."):
            digest.update(name.encode() + tensor.cpu().numpy().tobytes())
    return digest.hexdigest()
