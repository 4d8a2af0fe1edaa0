"""A trunk whose linear layers are FP8: each output channel and each token with its own scale.

`x ≈ s q`, with `s = max|x| / 448` and `q` in e4m3, 3 bits of which are a fraction (Micikevicius et
al., FP8 formats for deep learning, 2022). Weights are rounded once, activations as they come.
Attention, norms, biases and sums between layers stay as they are.
Axis letters: M tokens, K inputs, N outputs of a layer.
"""

import copy
from dataclasses import replace
from typing import Final

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import ScalingType

from adapters.vit.backbone import Backbone
from adapters.vit.blocks.known import not_plain
from serving.errors import ConfigError

KIND: Final = torch.float8_e4m3fn
HIGHEST: Final = torch.finfo(KIND).max
LEAST: Final = 1e-12
"""Size of a token that is zero everywhere."""

CAPABILITY: Final = (8, 9)
"""Of the first GPUs whose tensor cores know FP8."""

_MULTIPLE: Final = 16
"""Of which inputs and outputs of a product must be, in numbers."""


class Fp8Linear(nn.Module):
    """A linear layer in FP8, its outputs in the floating type of its inputs."""

    rounded: Tensor
    scales: Tensor

    def __init__(self, exact: nn.Linear) -> None:
        super().__init__()
        rounded, scales = round_rows(exact.weight)
        # as buffers, which graphs read where they are; other tensors would be copied into them
        self.register_buffer("rounded", rounded, persistent=False)
        self.register_buffer("scales", scales, persistent=False)
        self.bias = exact.bias

    def forward(self, x: Tensor) -> Tensor:
        """Return `[…, N]` of `[…, K]`."""
        tokens, sizes = round_rows(x.flatten(0, -2))
        out = F.scaled_mm(
            *(tokens, self.rounded.T),
            *(sizes, ScalingType.RowWise),
            *(self.scales.T, ScalingType.RowWise),
            bias=self.bias,
            output_dtype=x.dtype,
            use_fast_accum=True,
        )
        return out.unflatten(0, x.shape[:-1])


def round_rows(x: Float[Tensor, "M K"]) -> tuple[Tensor, Float[Tensor, "M 1"]]:
    """Return a matrix in FP8, `[M, K]`, and what each of its rows is to be multiplied by."""
    exact = x.float()
    scales = exact.abs().amax(dim=1, keepdim=True).clamp_min(LEAST) / HIGHEST
    return (exact / scales).to(KIND), scales


def round_trunk(backbone: Backbone) -> Backbone:
    """Return a backbone in FP8 that shares everything else with the one it is made of.

    Queries, keys and values of the last block stay exact: where one row is read, nobody computes
    them, but reads their weights.

    Raises:
        ConfigError: a layer is too narrow for a product in FP8, or blocks are not plain.
    """
    _require_plain(backbone)
    shared = (*backbone.trunk.parameters(), *backbone.trunk.buffers())
    trunk = copy.deepcopy(backbone.trunk, {id(tensor): tensor for tensor in shared})
    kept = trunk.blocks[-1].attn.qkv
    for name, layer in list(trunk.blocks.named_modules()):
        if isinstance(layer, nn.Linear) and layer is not kept:
            _require_width(backbone.spec.name, layer)
            trunk.blocks.set_submodule(name, Fp8Linear(layer))
    return replace(backbone, trunk=trunk)


def require_fp8(device: torch.device) -> None:
    """Refuse a device without FP8.

    Raises:
        ConfigError: it is no GPU, or an older one.
    """
    found = "none"
    if device.type == "cuda":
        capability = torch.cuda.get_device_capability(device)
        if capability >= CAPABILITY:
            return
        found = "{} of {}.{}".format(torch.cuda.get_device_name(device), *capability)
    raise ConfigError(
        "precision fp8 needs a GPU of compute capability {}.{} or higher, ".format(*CAPABILITY)
        + f"such as an L4 or H100, found {found}; choose precision: auto"
    )


def _require_plain(backbone: Backbone) -> None:
    other = not_plain(backbone.trunk.blocks)
    if other is not None:
        raise ConfigError(
            f"precision fp8 rounds blocks of plain ViTs, {backbone.spec.name} has blocks of type "
            f"{other}; choose precision: bfloat16"
        )


def _require_width(name: str, layer: nn.Linear) -> None:
    if layer.in_features % _MULTIPLE or layer.out_features % _MULTIPLE:
        raise ConfigError(
            f"precision fp8 needs layers of multiples of {_MULTIPLE} numbers, {name} has one of "
            f"{layer.in_features} to {layer.out_features}; choose precision: bfloat16"
        )
