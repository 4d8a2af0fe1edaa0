"""The trunk in torch: eager or compiled, on the CPU or on CUDA.

Compiled on the CPU, one graph per form takes any number of rows, its weights frozen into the
layout that the processor likes; that setting must hold while the graph is traced. On CUDA, where
every launch costs and graphs have fixed shapes, batches are filled up to the next power of two.
Whatever was not warmed up runs eagerly: no request ever waits for a compiler.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

import torch
import torch._inductor.config as inductor
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from adapters.backbone import Backbone
from adapters.prompting import DeepPrompts, Prompts, ShallowPrompts, features
from adapters.spec import BackboneSpec
from serving.backend import Example, Form
from serving.gather import blank_prompts

CPU_KEY_ALIGNMENT = 32
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
        self._copies = torch.cuda.Stream(backbone.device) if on_cuda else None

    @torch.inference_mode()
    def warm_up(self, examples: Sequence[Example]) -> None:
        """Run, and compile if told so, every kind of batch; takes seconds to minutes."""
        size = self.backbone.spec.image_size
        for form, num_prompts in examples:
            if self._compiled and form not in self._graphs:
                self._graphs[form] = self._compile(form)
            for rows in self._batch_sizes():
                pixels = torch.zeros(rows, 3, size, size)
                blank = blank_prompts(self.backbone, form, rows, num_prompts, self.key_alignment)
                with inductor.patch(freezing=not self._in_buckets):
                    self._run(form, pixels, blank)

    @torch.inference_mode()
    def features(self, form: Form, pixels: Pixels, prompts: Prompts) -> Float[Tensor, "B D"]:
        """Return one feature per row; see `Backend.features`."""
        with torch.compiler.set_stance(STANCE):
            return self._run(form, pixels, prompts)

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

    def _batch_sizes(self) -> list[int]:
        """Return the sizes that, warmed up, cover every size."""
        if not self._compiled:
            return [self._max_batch]
        if self._in_buckets:
            return [2**i for i in range(_bucket(self._max_batch).bit_length())]
        return sorted({1, min(2, self._max_batch), self._max_batch})

    def _place(self, pixels: Pixels) -> Pixels:
        """Copy pixels to the device; to CUDA through pinned memory, beside what it computes."""
        if self._copies is None:
            return pixels.to(self.backbone.dtype)
        compute = torch.cuda.current_stream(self.backbone.device)
        with torch.cuda.stream(self._copies):
            placed = pixels.pin_memory().to(self.backbone.device, non_blocking=True)
        compute.wait_stream(self._copies)
        placed.record_stream(compute)
        return placed.to(self.backbone.dtype)


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
