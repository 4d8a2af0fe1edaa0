"""An adapter: what one task adds to the frozen backbone, in memory and immutable.

Its bytes are the codec's matter; here tensors only go there and come back.
Axis letters: L blocks, M of them with prompts, P prompts, K keys and values, D width, C classes,
h heads, d head width.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from adapters.artifact.backbone_spec import BackboneSpec
from adapters.artifact.codec import read_contents, write_contents
from adapters.artifact.meta import AdapterMeta
from adapters.artifact.unknown import Spread

_MEAN, _DIRECTIONS = "unknown.mean", "unknown.directions"


@dataclass(frozen=True, eq=False)
class Adapter:
    """Prompts, head and meta of one task.

    Attributes:
        prompts: deep `[M, P, D]`, of the last M blocks, at least two; shallow `[1, P, D]`; or
            None for a bare linear head.
        head_weight: one row per class.
        head_bias: one number per class.
        meta: task, backbone, preprocessing and provenance.
        keys_values: beside deep prompts: vectors that are both keys and values of a block's heads.
        biases: of all blocks, where prompts, if any, are deep: what is added to every token after
            the attention.
        spread: where the task calls images unknown by their distance.
    """

    prompts: Float[Tensor, "M P D"] | None
    head_weight: Float[Tensor, "C D"]
    head_bias: Float[Tensor, " C"]
    meta: AdapterMeta
    keys_values: Float[Tensor, "M K h d"] | None = None
    biases: Float[Tensor, "L D"] | None = None
    spread: Spread | None = None

    @property
    def num_parameters(self) -> int:
        """Number of its own numbers: prompts, what is beside them, and head."""
        return sum(one.numel() for one in self.tensors.values())

    @property
    def tensors(self) -> dict[str, Tensor]:
        """Those that it has, by their names in its artifact."""
        named = {
            "head.weight": self.head_weight,
            "head.bias": self.head_bias,
            "prompts": self.prompts,
            "keys_values": self.keys_values,
            "biases": self.biases,
        }
        return {name: one for name, one in named.items() if one is not None}

    @property
    def is_deep(self) -> bool:
        """Whether blocks have their own prompts."""
        return self.prompts is not None and self.prompts.shape[0] > 1

    def check_fits(self, backbone: BackboneSpec) -> None:
        """Refuse this adapter unless it was trained on exactly this trunk.

        Raises:
            ArtifactMismatch: naming every field that differs, with both values.
        """
        self.meta.check_fits(backbone)


def encode(adapter: Adapter) -> bytes:
    """Return the artifact of an adapter; the same adapter gives the same bytes."""
    arrays = {n: one.detach().float().cpu().numpy() for n, one in adapter.tensors.items()}
    if adapter.spread is not None:
        arrays |= {_MEAN: adapter.spread.mean, _DIRECTIONS: adapter.spread.directions}
    return write_contents(adapter.meta, arrays)


def decode(data: bytes) -> Adapter:
    """Return the adapter of an artifact, every tensor checked against what its meta promises.

    Raises:
        ArtifactCorrupt: not a whole artifact of format 1 or 2, or a tensor's name, shape, type or
            values contradict its meta.
        ArtifactMismatch: it is beyond a bound of `adapters.artifact.bounds`.
    """
    contents = read_contents(data)
    arrays = dict(contents.tensors)
    has_spread = _MEAN in arrays
    spread = Spread(arrays.pop(_MEAN), arrays.pop(_DIRECTIONS)) if has_spread else None
    tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
    return Adapter(
        tensors.get("prompts"),
        tensors["head.weight"],
        tensors["head.bias"],
        contents.meta,
        tensors.get("keys_values"),
        tensors.get("biases"),
        spread,
    )
