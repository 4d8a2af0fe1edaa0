"""One adapter on the device, its deep prompts already keys and values.

Axis letters: L layers, P prompts, D width, C classes, h heads, d head width.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from adapters.adapter import Adapter, AdapterMeta
from adapters.backbone import Backbone
from adapters.prompting import prefix_of
from adapters.spec import FinalNorm, Pooling


class Form(NamedTuple):
    """What rows must share to be computed in one forward."""

    kind: Literal["deep", "shallow", "none"]
    num_prompts: int
    pooling: Pooling
    final_norm: FinalNorm


@dataclass(frozen=True, eq=False)
class Resident:
    """One adapter on the device.

    Attributes:
        form: how it acts.
        prefix: keys and values of deep prompts.
        tokens: prompt tokens: of the first block if shallow, of the last one if deep and averaged.
        head_weight: one row per class.
        head_bias: one number per class.
        meta: names, preprocessing, provenance.
    """

    form: Form
    prefix: Float[Tensor, "L 2 h P d"] | None
    tokens: Float[Tensor, "P D"] | None
    head_weight: Float[Tensor, "C D"]
    head_bias: Float[Tensor, " C"]
    meta: AdapterMeta

    @property
    def num_bytes(self) -> int:
        """Device memory it takes."""
        tensors = (self.prefix, self.tokens, self.head_weight, self.head_bias)
        return sum(t.numel() * t.element_size() for t in tensors if t is not None)


def make_resident(adapter: Adapter, backbone: Backbone) -> Resident:
    """Put an adapter on the backbone's device, its deep prompts as keys and values.

    Raises:
        ArtifactMismatch: it was trained on another backbone.
    """
    adapter.check_fits(backbone.spec)
    read_out = adapter.meta.backbone

    def placed(tensor: Tensor) -> Tensor:
        return tensor.to(backbone.device, backbone.dtype)

    prefix = tokens = None
    with torch.inference_mode():
        prompts = None if adapter.prompts is None else placed(adapter.prompts)
        if prompts is not None and adapter.is_deep:
            prefix = prefix_of(backbone.trunk, prompts)
            tokens = prompts[-1] if read_out.pooling == "mean-with-prompts" else None
        elif prompts is not None:
            tokens = prompts[0]
    kind: Literal["deep", "shallow", "none"] = (
        "none" if prompts is None else "deep" if adapter.is_deep else "shallow"
    )
    num_prompts = 0 if prompts is None else prompts.shape[1]
    return Resident(
        Form(kind, num_prompts, read_out.pooling, read_out.final_norm),
        prefix,
        tokens,
        placed(adapter.head_weight),
        placed(adapter.head_bias),
        adapter.meta,
    )
