"""The trunk in torch on the CPU, eager or compiled, the rows of a batch side by side.

Compiled, one graph per form and number of cores takes any number of rows, its weights frozen into
the layout that the processor likes; that setting must hold while the graph is traced.
"""

from collections.abc import Sequence
from functools import partial
from math import ceil
from typing import Final

import torch
import torch._inductor.config as inductor
from jaxtyping import Float
from torch import Tensor

from adapters.vit.backbone import Backbone
from adapters.vit.prompting import Prompts
from serving.trunk.backend import Example, Form
from serving.trunk.blank import num_tokens
from serving.trunk.forks import CpuForks
from serving.trunk.graphs import Graphs, Pixels, blank_rows, without_compiling
from serving.trunk.side_by_side import SideBySide

EAGER_SHARE: Final = 40e6
"""Multiply-adds of one projection below which Python costs an eager share more than it gains."""


class CpuBackend:
    """Runs the trunk on the CPU; see `Backend`.

    Args:
        backbone: frozen, in the floating type to compute in.
        compiled: whether what is warmed up is compiled.
        max_batch: rows of one forward, at most.
    """

    key_alignment = 32
    steps = None

    def __init__(self, backbone: Backbone, *, compiled: bool = False, max_batch: int = 32) -> None:
        self.backbone = backbone
        self._compiled = compiled
        self._max_batch = max_batch
        self._graphs = Graphs(backbone, dynamic=True)
        self._cores = SideBySide(least_rows=1 if compiled else self._worth())
        self.forks = CpuForks(backbone, SideBySide(least_rows=self._worth()))

    @torch.inference_mode()
    def warm_up(self, examples: Sequence[Example]) -> None:
        """Run, and compile if told so, every kind of batch; takes seconds to minutes."""
        for form, num_prompts in examples:
            if self._compiled:
                self._trace(form, num_prompts)
            else:
                self.features(form, *self._blank(form, self._max_batch, num_prompts))

    @torch.inference_mode()
    def features(self, form: Form, pixels: Pixels, prompts: Prompts) -> Float[Tensor, "B D"]:
        """Return one feature per row; see `Backend.features`."""
        with without_compiling():
            return self._cores.run(partial(self._run, form), pixels, prompts)

    @property
    def exact(self) -> "CpuBackend":
        """This one; see `Backend.exact`."""
        return self

    def doubt(self, form: Form) -> float:
        """Return 0; see `Backend.doubt`."""
        return 0.0

    def _worth(self) -> int:
        """Return the least rows that are worth one more core in an eager forward."""
        projection = num_tokens(self.backbone) * self.backbone.spec.width**2
        return ceil(EAGER_SHARE / projection)

    def _trace(self, form: Form, num_prompts: int) -> None:
        """Compile whole batches on all cores, and shares on one."""
        self._graphs.compile(form)
        run = partial(self._run_frozen, form)
        for rows in _covering(self._cores.largest_whole(self._max_batch)):
            run(*self._blank(form, rows, num_prompts))
        for rows in _covering(self._cores.largest_share(self._max_batch)):
            self._cores.run_one(run, *self._blank(form, rows, num_prompts))

    def _run_frozen(self, form: Form, pixels: Pixels, prompts: Prompts) -> Float[Tensor, "B D"]:
        with inductor.patch(freezing=True):
            return self._run(form, pixels, prompts)

    def _run(self, form: Form, pixels: Pixels, prompts: Prompts) -> Float[Tensor, "B D"]:
        return self._graphs.run(form, pixels.to(self.backbone.dtype), prompts)

    def _blank(self, form: Form, rows: int, num_prompts: int) -> tuple[Pixels, Prompts]:
        return blank_rows(self.backbone, form, rows, num_prompts, self.key_alignment)


def _covering(most: int) -> list[int]:
    """Return the numbers of rows whose graphs take any number up to the largest."""
    return sorted(rows for rows in {1, 2, most} if 0 < rows <= most)
