"""What runs the frozen trunk: torch or ONNX Runtime, behind one small contract.

Axis letters: B batch, D width, H W pixels.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from adapters.artifact.backbone_spec import FinalNorm, Pooling
from adapters.vit.backbone import Backbone
from adapters.vit.prompting import Prompts


class Form(NamedTuple):
    """What rows must share to be computed in one forward.

    Attributes:
        num_tokens: prompts that travel as tokens: all shallow ones, and deep ones that the
            read-out averages. Deep prompts that are mere keys and values do not count: their
            rows of any length share a forward, also with rows without prompts.
        shallow: whether those tokens enter the first block, not the last.
        pooling: how tokens become one feature.
        final_norm: on which side of the pooling the last LayerNorm is.
    """

    num_tokens: int
    shallow: bool
    pooling: Pooling
    final_norm: FinalNorm


class Example(NamedTuple):
    """A kind of batch to be ready for: a form, and the longest deep prompts in it."""

    form: Form
    num_prompts: int


@runtime_checkable
class Backend(Protocol):
    """Runs the frozen trunk under per-row prompts.

    Attributes:
        backbone: where adapters are placed, and in which floating type.
        key_alignment: deep prompts are filled up until prompts and tokens together are a
            multiple of this, because attention is faster so.
    """

    backbone: Backbone
    key_alignment: int

    @property
    def exact(self) -> "Backend":
        """What computes rows in doubt again; the backend itself if its features are exact."""

    def warm_up(self, examples: Sequence[Example]) -> None:
        """Do everything slow that can be done before the first request."""

    def features(
        self, form: Form, pixels: Float[Tensor, "B 3 H W"], prompts: Prompts
    ) -> Float[Tensor, "B D"]:
        """Return one feature per row.

        Args:
            form: of all rows.
            pixels: normalised images, float32, on the CPU or the backbone's device.
            prompts: of all rows, on the backbone's device; None never.
        """

    def doubt(self, form: Form) -> float:
        """Return the margin below which a row's best class may not be that of `exact`.

        0 where features of this form are exact.
        """
