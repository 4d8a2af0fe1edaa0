"""SSF (Lian et al. 2022): the output of every linear layer and norm is scaled and shifted.

`s·(W x + b) + t` is `(s·W) x + (s·b + t)`, so scales and shifts merge into the trunk's weights.
Axis letters: D width.
"""

import torch
from torch import Tensor, nn

from adapters.vit.backbone import Backbone
from trainer.errors import RecipeError
from trainer.methods.retuned import RetunedClassifier, flat

_STD = 0.02
_Layer = nn.Linear | nn.Conv2d | nn.LayerNorm


class ScaledClassifier(RetunedClassifier):
    """The trunk with scaled and shifted outputs of each layer that has weights.

    That is the patch embedding, the two norms and four linear layers of every block, and the
    final norm; norms of queries and keys too, where the trunk has them. As in the authors' code,
    scales start near 1 and shifts near 0 (normal, std 0.02).

    Attributes:
        scales: a vector of each layer, by its name without dots.
        shifts: likewise.

    Raises:
        RecipeError: the trunk has a norm that cannot be shifted.
    """

    def __init__(self, backbone: Backbone, num_classes: int) -> None:
        super().__init__(backbone, num_classes)
        sizes = {flat(name): len(layer.weight) for name, layer in _layers(backbone)}
        self.scales = nn.ParameterDict({n: nn.Parameter(_near(1.0, d)) for n, d in sizes.items()})
        self.shifts = nn.ParameterDict({n: nn.Parameter(_near(0.0, d)) for n, d in sizes.items()})

    def exchanged(self) -> dict[str, Tensor]:
        """Return the scaled weights and the scaled and shifted biases."""
        tensors = {}
        for name, layer in _layers(self.backbone):
            scale, shift = self.scales[flat(name)], self.shifts[flat(name)]
            rows = scale.reshape(-1, *[1] * (layer.weight.ndim - 1))
            tensors[f"{name}.weight"] = rows * layer.weight
            tensors[f"{name}.bias"] = shift if layer.bias is None else scale * layer.bias + shift
        return tensors


def _layers(backbone: Backbone) -> list[tuple[str, _Layer]]:
    """Return every layer with weights, by its name in the trunk."""
    layers: list[tuple[str, _Layer]] = []
    for name, module in backbone.trunk.named_modules():
        if isinstance(module, _Layer) and module.weight is not None:
            layers.append((name, module))
        elif getattr(module, "weight", None) is not None:
            raise RecipeError(
                f"method ssf on backbone {backbone.spec.name}: {name} is a "
                f"{type(module).__name__}; expected a LayerNorm or a linear layer, which can be "
                "scaled and shifted; choose another method, such as lora"
            )
    return layers


def _near(value: float, size: int) -> Tensor:
    return value + _STD * torch.randn(size)
