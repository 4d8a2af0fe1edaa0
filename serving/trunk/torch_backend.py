"""The trunk in torch: eager or compiled, on the CPU or on CUDA.

On the CPU the rows of a batch are computed side by side. Compiled there, one graph per form and
number of cores takes any number of rows, its weights frozen into the layout that the processor
likes; that setting must hold while the graph is traced. On CUDA, where every launch costs and
graphs have fixed shapes, batches are filled up to the next power of two. What was not warmed up
runs eagerly: no request ever waits for a compiler.
"""

from collections.abc import Callable, Sequence
from functools import partial
from math import ceil
from typing import Any, Final

import torch
import torch._inductor.config as inductor
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from adapters.artifact.backbone_spec import BackboneSpec
from adapters.vit.backbone import Backbone
from adapters.vit.prompting import DeepPrompts, Prompts, ShallowPrompts, features
from serving.trunk.backend import Example, Form
from serving.trunk.blank import blank_prompts, num_tokens
from serving.trunk.side_by_side import SideBySide

CPU_KEY_ALIGNMENT = 32
EAGER_SHARE: Final = 40e6
"""Multiply-adds of one projection below which Python costs an eager share more than it gains."""

STANCE: Final = "eager_on_recompile"

Pixels = Float[Tensor, "B 3 H W"]
Graph = Callable[[Tensor, Prompts], Tensor]


class TorchBackend:
    """Runs the trunk in torch.

    Args:
        backbone: frozen, on its device, in the floating type to compute in.
        compiled: whether what is warmed up is compiled.
        max_batch: rows of one forward, at most.
    """

    def __init__(self, backbone: Backbone, *, compiled: bool = False, max_batch: int = 32) -> None:
        self.backbone = backbone
        on_cuda = backbone.device.type == "cuda"
        self.key_alignment = 1 if on_cuda else CPU_KEY_ALIGNMENT
        self._compiled = compiled
        self._in_buckets = compiled and on_cuda
        self._max_batch = max_batch
        self._graphs: dict[Form, Graph] = {}
        self._cores = None if on_cuda else SideBySide(least_rows=1 if compiled else self._worth())
        self._copies = torch.cuda.Stream(backbone.device) if on_cuda else None

    @torch.inference_mode()
    def warm_up(self, examples: Sequence[Example]) -> None:
        """Run, and compile if told so, every kind of batch; takes seconds to minutes."""
        for form, num_prompts in examples:
            if self._compiled:
                self._warm_up_graphs(form, num_prompts)
            else:
                self.features(form, *self._blank(form, self._max_batch, num_prompts))

    @torch.inference_mode()
    def features(self, form: Form, pixels: Pixels, prompts: Prompts) -> Float[Tensor, "B D"]:
        """Return one feature per row; see `Backend.features`."""
        run = partial(self._run, form)
        with torch.compiler.set_stance(STANCE):
            if self._cores is not None and self._cores.splits(len(pixels)):
                return self._cores.run(run, pixels, prompts)
            return run(pixels, prompts)

    @property
    def exact(self) -> "TorchBackend":
        """This one; see `Backend.exact`."""
        return self

    def doubt(self, form: Form) -> float:
        """Return 0; see `Backend.doubt`."""
        return 0.0

    def _worth(self) -> int:
        """Return the least rows that are worth one more core in an eager forward."""
        projection = num_tokens(self.backbone) * self.backbone.spec.width**2
        return ceil(EAGER_SHARE / projection)

    def _warm_up_graphs(self, form: Form, num_prompts: int) -> None:
        if form not in self._graphs:
            self._graphs[form] = self._compile(form)
        trace = partial(self._trace, form)
        if self._cores is None:
            for i in range(_bucket(self._max_batch).bit_length()):
                trace(*self._blank(form, 2**i, num_prompts))
            return
        for rows in _covering(self._cores.largest_whole(self._max_batch)):
            trace(*self._blank(form, rows, num_prompts))
        for rows in _covering(self._cores.largest_share(self._max_batch)):
            self._cores.run_one(trace, *self._blank(form, rows, num_prompts))

    def _trace(self, form: Form, pixels: Pixels, prompts: Prompts) -> Float[Tensor, "B D"]:
        with inductor.patch(freezing=not self._in_buckets):
            return self._run(form, pixels, prompts)

    def _blank(self, form: Form, rows: int, num_prompts: int) -> tuple[Pixels, Prompts]:
        size = self.backbone.spec.image_size
        prompts = blank_prompts(self.backbone, form, rows, num_prompts, self.key_alignment)
        return torch.zeros(rows, 3, size, size), prompts

    def _run(self, form: Form, pixels: Pixels, prompts: Prompts) -> Float[Tensor, "B D"]:
        rows, placed = len(pixels), self._place(pixels)
        graph = self._graphs.get(form)
        if graph is None:
            return features(self.backbone.trunk, self._spec(form), placed, prompts)
        extra = _bucket(rows) - rows if self._in_buckets else 0
        found = graph(_fill(placed, extra), _fill_prompts(prompts, extra))
        return found[:rows].clone() if self._in_buckets else found

    def _compile(self, form: Form) -> Graph:
        trunk, spec = self.backbone.trunk, self._spec(form)

        def run(pixels: Tensor, prompts: Prompts) -> Tensor:
            return features(trunk, spec, pixels, prompts)

        options: dict[str, Any] = {"fullgraph": True, "isolate_recompiles": True}
        if self._in_buckets:
            options |= {"dynamic": False, "mode": "reduce-overhead", "recompile_limit": 64}
        else:
            options |= {"dynamic": True}
        return torch.compile(run, **options)

    def _spec(self, form: Form) -> BackboneSpec:
        read_out = {"pooling": form.pooling, "final_norm": form.final_norm}
        return self.backbone.spec.model_copy(update=read_out)

    def _place(self, pixels: Pixels) -> Pixels:
        """Copy pixels to the device; to CUDA through pinned memory, while it computes."""
        if self._copies is None or pixels.device == self.backbone.device:
            return pixels.to(self.backbone.dtype)
        compute = torch.cuda.current_stream(self.backbone.device)
        with torch.cuda.stream(self._copies):
            placed = pixels.pin_memory().to(self.backbone.device, non_blocking=True)
        compute.wait_stream(self._copies)
        placed.record_stream(compute)
        return placed.to(self.backbone.dtype)


def _covering(most: int) -> list[int]:
    """Return the numbers of rows whose graphs take any number up to the largest."""
    return sorted(rows for rows in {1, 2, most} if 0 < rows <= most)


def _bucket(rows: int) -> int:
    """Return the next power of two."""
    return 1 << (rows - 1).bit_length()


def _fill(rows: Tensor, extra: int) -> Tensor:
    """Return the rows and `extra` rows of zeros after them."""
    return F.pad(rows, (0, 0) * (rows.ndim - 1) + (0, extra)) if extra else rows


def _fill_prompts(prompts: Prompts, extra: int) -> Prompts:
    if prompts is None or not extra:
        return prompts
    if isinstance(prompts, ShallowPrompts):
        return ShallowPrompts(_fill(prompts.tokens, extra))
    mask, last = (None if t is None else _fill(t, extra) for t in (prompts.mask, prompts.last))
    return DeepPrompts(_fill(prompts.prefix, extra), mask, last)
