"""The trunk in FP8 for the forms whose doubt was measured, and exactly for all others."""

from collections.abc import Sequence
from functools import partial

from jaxtyping import Float, UInt8
from torch import Tensor

from adapters.artifact.backbone_spec import BackboneSpec
from adapters.artifact.preprocessing import Preprocessing
from adapters.vit.backbone import Backbone
from adapters.vit.prompting import Prompts
from serving.rounding.fp8 import round_trunk
from serving.trunk.backend import Addresses, Backend, Example, Form, Step, Steps, covers
from serving.trunk.choose import torch_backend


class Fp8Backend:
    """Runs two trunks that share what is not rounded; see `Backend`, and `Steps`.

    Args:
        backbone: frozen, on its device, in the floating type of what is not rounded. Adapters are
            prepared with it, so their keys and values are exact.
        doubt: margin below which a row is to be computed again, as measured.
        measured: the backbone under the read-out that was measured; None for its own.
        compiled: as of `torch_backend`.
        kernels: likewise.
        max_batch: likewise.

    Raises:
        ConfigError: a layer of the backbone cannot be rounded.
    """

    forks = None

    def __init__(
        self,
        backbone: Backbone,
        doubt: float,
        measured: BackboneSpec | None = None,
        *,
        compiled: bool = False,
        kernels: bool = False,
        max_batch: int = 32,
    ) -> None:
        made = partial(torch_backend, compiled=compiled, kernels=kernels, max_batch=max_batch)
        self.backbone = backbone
        self.exact, self.rounded = made(backbone), made(round_trunk(backbone))
        self.key_alignment = self.exact.key_alignment
        self._doubt, self._measured = doubt, measured or backbone.spec

    @property
    def steps(self) -> Steps | None:
        """This one, if its trunks have steps; see `Backend.steps`."""
        return self if self.exact.steps is not None else None

    def warm_up(self, examples: Sequence[Example]) -> None:
        """Warm up both trunks; takes twice as long as one."""
        self.rounded.warm_up([one for one in examples if covers(self._measured, one.form)])
        self.exact.warm_up(examples)

    def features(
        self, form: Form, pixels: Float[Tensor, "B 3 H W"], prompts: Prompts
    ) -> Float[Tensor, "B D"]:
        """Return one feature per row; see `Backend.features`."""
        return self._of(form).features(form, pixels, prompts)

    def doubt(self, form: Form) -> float:
        """Return what was measured; see `Backend.doubt`."""
        return self._doubt if self._of(form) is self.rounded else 0.0

    def take(self, form: Form, rows: int) -> bool:
        """Whether such a step was recorded; see `Steps.take`."""
        return self._steps(form).take(form, rows)

    def run(
        self,
        form: Form,
        crops: UInt8[Tensor, "B H W 3"],
        rules: Sequence[Preprocessing],
        rows: Sequence[Addresses],
    ) -> Step:
        """Queue one step; see `Steps.run`."""
        return self._steps(form).run(form, crops, rules, rows)

    def _of(self, form: Form) -> Backend:
        return self.rounded if covers(self._measured, form) else self.exact

    def _steps(self, form: Form) -> Steps:
        steps = self._of(form).steps
        assert steps is not None, "both trunks have steps, or none"
        return steps
