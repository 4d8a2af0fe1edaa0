"""How good frozen features are: a linear probe on CIFAR-10, for the backbone's model card."""

from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor

from adapters.artifact.backbone_spec import EMBEDDED
from adapters.vit.architecture import create_trunk
from adapters.vit.weights import load_weights
from trainer.pretraining.cifar10 import load_cifar10

NUM_TRAIN, NUM_TEST = 10_000, 10_000


def probe(weights: Path | None, data: Path) -> float:
    """Return the test accuracy of logistic regression on mean-pooled frozen features.

    Uses the first 10,000 training images and all 10,000 test images.

    Args:
        weights: of the embedded architecture; None probes the untrained network, seed 0.
        data: folder of CIFAR-10.
    """
    torch.manual_seed(0)
    trunk = create_trunk(EMBEDDED).eval()
    if weights is not None:
        load_weights(trunk, EMBEDDED, weights)
    images, labels = load_cifar10(data, "train")
    test_images, test_labels = load_cifar10(data, "test")
    scaler = StandardScaler()
    train = scaler.fit_transform(_features(trunk, images[:NUM_TRAIN]))
    classifier = LogisticRegression(C=0.01, max_iter=1000).fit(train, labels[:NUM_TRAIN])
    test = scaler.transform(_features(trunk, test_images[:NUM_TEST]))
    return float(classifier.score(test, test_labels[:NUM_TEST]))


@torch.no_grad()
def _features(trunk: VisionTransformer, images: UInt8[Tensor, "M 3 h w"]) -> Float[Tensor, "M D"]:
    rows = []
    for batch in images.split(500):
        pixels = F.interpolate(batch.float() / 127.5 - 1, size=(64, 64), mode="bilinear")
        rows.append(trunk.forward_features(pixels)[:, 1:].mean(dim=1))
    return torch.cat(rows)
