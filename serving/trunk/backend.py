"""What runs the frozen trunk: torch, ONNX Runtime or OpenVINO, behind one small contract.

Axis letters: B batch, D width, I images, H W pixels.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable

from jaxtyping import Float, Int, UInt8
from torch import Tensor

from adapters.artifact.backbone_spec import BackboneSpec, FinalNorm, Pooling
from adapters.artifact.preprocessing import Preprocessing
from adapters.vit.backbone import Backbone
from adapters.vit.prompting import DeepPrompts, Prompts


class Form(NamedTuple):
    """What rows must share to be computed in one forward.

    Attributes:
        num_tokens: prompts that travel as tokens: all shallow ones, and deep ones that the
            read-out averages. Deep prompts that are mere keys and values do not count: their
            rows of any length share a forward, also with rows without prompts.
        shallow: whether those tokens enter the first block, not the last.
        pooling: how tokens become one feature.
        final_norm: on which side of the pooling the last LayerNorm is.
        has_biases: whether something is added after each block's attention. Graphs of other forms
            do not know of it, so rows with biases cost no others anything.
        num_beside: learned keys and values of the last block, where its prompts travel as tokens;
            graphs of other forms do not know of them either.
    """

    num_tokens: int
    shallow: bool
    pooling: Pooling
    final_norm: FinalNorm
    has_biases: bool = False
    num_beside: int = 0


def covers(spec: BackboneSpec, form: Form) -> bool:
    """Whether a trunk that is read out as the spec says computes rows of this form."""
    averaged = spec.pooling == "mean-with-prompts"
    same_read_out = (form.pooling, form.final_norm) == (spec.pooling, spec.final_norm)
    has_more = form.shallow or form.has_biases or form.num_beside
    return same_read_out and not has_more and averaged == bool(form.num_tokens)


class Example(NamedTuple):
    """A kind of batch to be ready for: a form, and the longest deep prompts in it."""

    form: Form
    num_prompts: int


class Addresses(NamedTuple):
    """An adapter on the device as a step reads it, by address, in the order of the step's table.

    Attributes:
        prefix: where keys and values `[L, P, 2, h, d]` of deep prompts would begin if every block
            had some; only those from the first block on are there. Anything if P is 0.
        num_prompts: P.
        first_block: that has prompts, from 0.
        head_weight: of `[C, D]`, float32.
        head_bias: of `[C]`, float32.
        num_classes: C.
        temperature: that logits are divided by: the bits of a float32.
    """

    prefix: int
    num_prompts: int
    first_block: int
    head_weight: int
    head_bias: int
    num_classes: int
    temperature: int


class Step(NamedTuple):
    """What a step leaves on the device; the next one overwrites it, after what is queued now.

    Attributes:
        features: one per row.
        scores: softmax probabilities of the K best classes, best first; 0 where there is no class.
        classes: which those are.
        margins: as `serving.forward.heads.margins` has them.
    """

    features: Float[Tensor, "B D"]
    scores: Float[Tensor, "B K"]
    classes: Int[Tensor, "B K"]
    margins: Float[Tensor, " B"]


@runtime_checkable
class Steps(Protocol):
    """Computes rows from crops to best classes in one launch."""

    def take(self, form: Form, rows: int) -> bool:
        """Whether so many rows of this form can be computed."""

    def run(
        self,
        form: Form,
        crops: UInt8[Tensor, "B H W 3"],
        rules: Sequence[Preprocessing],
        rows: Sequence[Addresses],
    ) -> Step:
        """Queue one step, and return where it will leave what it makes.

        Args:
            form: of all rows.
            crops: 8 bits a pixel, on the backbone's device.
            rules: by which each row's crop becomes floats.
            rows: whose adapters stay where they are until the step is done.
        """


@runtime_checkable
class Forks(Protocol):
    """Computes the blocks before the first prompts once per image, however many rows it has."""

    def features(
        self,
        form: Form,
        pixels: Float[Tensor, "I 3 H W"],
        image_of: Int[Tensor, " B"],
        prompts: DeepPrompts,
    ) -> Float[Tensor, "B D"]:
        """Return one feature per row, as `Backend.features` would.

        Args:
            form: of all rows.
            pixels: of each image.
            image_of: the place of each row's image.
            prompts: of all rows, for the last M blocks; those before them are computed once.
        """


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
    def steps(self) -> Steps | None:
        """What computes rows whole; None where only features are computed."""

    @property
    def forks(self) -> Forks | None:
        """What shares the first blocks among rows of one image; None where each row has its own."""

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
