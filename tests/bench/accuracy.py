"""How exact the fast forwards are, against prompts as tokens in float64."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from adapters.vit.adapter import Adapter
from adapters.vit.backbone import Backbone
from serving.rows.resident import make_resident
from serving.trunk.backend import Backend
from tests.bench.models import in_precision
from tests.bench.peers import mixed, token_form


class Deviation(NamedTuple):
    """How far one backend's float32 features are from the exact ones.

    Attributes:
        relative: the largest difference in a row over the largest feature in it; the worst row.
        same_labels: share of rows whose best class is the same.
    """

    relative: float
    same_labels: float


@torch.inference_mode()
def deviations(
    backends: Mapping[str, Backend],
    backbone: Backbone,
    adapters: Sequence[Adapter],
    pixels: Tensor,
) -> dict[str, Deviation]:
    """Return each backend's deviation on one batch, every row under another adapter.

    Args:
        backends: by name, all of this backbone in float32.
        backbone: its trunk, computed in float64, gives the exact features.
        adapters: one per row.
        pixels: normalised images.
    """
    exact = _exact_features(in_precision(backbone, "float64"), adapters, pixels)
    labels = _labels(exact, adapters)
    found = {}
    for name, backend in backends.items():
        residents = [make_resident(adapter, backend.backbone) for adapter in adapters]
        features = mixed(backend, residents)(pixels).double().cpu()
        distance = (features - exact).abs().amax(dim=1) / exact.abs().amax(dim=1)
        same = (_labels(features, adapters) == labels).double().mean()
        found[name] = Deviation(float(distance.max()), float(same))
    return found


def _exact_features(backbone: Backbone, adapters: Sequence[Adapter], pixels: Tensor) -> Tensor:
    prompts = torch.stack([a.prompts for a in adapters if a.prompts is not None])
    exact = token_form(
        backbone.trunk,
        prompts.to(backbone.device, backbone.dtype),
        pixels.to(backbone.device, backbone.dtype),
    )
    return exact.cpu()


def _labels(features: Tensor, adapters: Sequence[Adapter]) -> Tensor:
    scores = [
        adapter.head_weight.double() @ row + adapter.head_bias.double()
        for adapter, row in zip(adapters, features, strict=True)
    ]
    return torch.stack(scores).argmax(dim=1)
