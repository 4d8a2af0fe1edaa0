"""The trunk in torch on CUDA: eager, compiled into graphs, or by our own kernels as whole steps.

Every launch costs, graphs have fixed shapes, and cuDNN plans each new one. So batches are filled up
to a bucket of rows, and deep prompts to a number of keys that was warmed up: any mixture of lengths
is one graph.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from adapters.vit.backbone import Backbone
from adapters.vit.prompting import DeepPrompts, Prompts
from serving.trunk.backend import Example, Form, Steps
from serving.trunk.cuda.buckets import bucket_of, buckets_up_to, fill, fill_prompts
from serving.trunk.cuda.forward import reads_by_address
from serving.trunk.cuda.steps import CudaSteps
from serving.trunk.graphs import Graphs, Pixels, blank_rows, without_compiling
from serving.trunk.transfer import ahead, send

_WARM_UPS = 3
"""Calls of one shape: the first compiles, the second allocates, the third records its graph."""

_MOST_GRAPHS = 256
"""Of one form; what is beyond runs eagerly."""


class CudaBackend:
    """Runs the trunk on CUDA; see `Backend`.

    Args:
        backbone: frozen, on its device, in the floating type to compute in.
        compiled: whether what is warmed up is compiled.
        kernels: whether rows whose prompts are keys and values are whole steps of our kernels,
            where they compute this backbone.
        max_batch: rows of one forward, at most.
    """

    key_alignment = 32
    forks = None

    def __init__(
        self,
        backbone: Backbone,
        *,
        compiled: bool = False,
        kernels: bool = False,
        max_batch: int = 32,
    ) -> None:
        # it builds a plan for each new shape, half a second of a request's time
        torch.backends.cuda.enable_cudnn_sdp(False)
        self.backbone = backbone
        self._compiled = compiled
        self._buckets = buckets_up_to(max_batch)
        self._lengths: dict[Form, set[int]] = {}
        self._graphs = Graphs(
            backbone, dynamic=False, mode="reduce-overhead", recompile_limit=_MOST_GRAPHS
        )
        self._steps = None
        if kernels and reads_by_address(backbone):
            self._steps = CudaSteps(backbone, compiled=compiled, max_batch=max_batch)

    @property
    def steps(self) -> Steps | None:
        """Whole steps, if it was built with kernels; see `Backend.steps`."""
        return self._steps

    @property
    def exact(self) -> "CudaBackend":
        """This one; see `Backend.exact`."""
        return self

    def doubt(self, form: Form) -> float:
        """Return 0; see `Backend.doubt`."""
        return 0.0

    @torch.inference_mode()
    def warm_up(self, examples: Sequence[Example]) -> None:
        """Run, compile and record every kind of batch as told; takes seconds to minutes."""
        for form, num_prompts in examples:
            if self._steps is not None and self._steps.record(form):
                continue
            if self._compiled:
                self._graphs.compile(form)
            for bucket in self._buckets:
                self._warm_up(form, bucket, num_prompts)
        torch.get_device_module(self.backbone.device).synchronize()

    @torch.inference_mode()
    def features(self, form: Form, pixels: Pixels, prompts: Prompts) -> Float[Tensor, "B D"]:
        """Return one feature per row; see `Backend.features`."""
        placed = self._placed(pixels)
        bucket, length = bucket_of(len(placed)), self._warm_length(form, prompts)
        filled = fill(placed, bucket), fill_prompts(prompts, bucket, length)
        with without_compiling():
            return self._graphs.run(form, *filled)[: len(placed)].clone()

    def _warm_up(self, form: Form, rows: int, num_prompts: int) -> None:
        """Run one shape until its graph is recorded."""
        pixels, prompts = blank_rows(self.backbone, form, rows, num_prompts, self.key_alignment)
        placed = self._placed(pixels)
        for _ in range(_WARM_UPS if self._compiled else 1):
            self._graphs.run(form, placed, prompts)
        if self._compiled:
            self._lengths.setdefault(form, set()).add(_num_keys(prompts))

    def _placed(self, pixels: Pixels) -> Pixels:
        device = self.backbone.device
        if pixels.device.type != device.type:
            pixels = ahead(lambda: send(pixels, device), device)
        return pixels.to(self.backbone.dtype)

    def _warm_length(self, form: Form, prompts: Prompts) -> int:
        """Return the least warm number of keys that holds these prompts, else their own."""
        own = _num_keys(prompts)
        enough = [length for length in self._lengths.get(form, ()) if length >= own]
        return min(enough, default=own)


def _num_keys(prompts: Prompts) -> int:
    return prompts.prefix.shape[2] if isinstance(prompts, DeepPrompts) else 0
