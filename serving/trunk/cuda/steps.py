"""Whole steps: crops and addresses in, features and best classes out, one CUDA graph per bucket.

A replay reads what its inputs hold, so rows of any tasks, rules, lengths and numbers of classes are
one graph: they are data. All of them are queued on one stream, so the next batch is sent and queued
while one is computed: what is sent has memory of its own until the step has taken it.

Axis letters: B batch, H W pixels, D width, K classes kept, S room for rows.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

import torch
from jaxtyping import UInt8
from torch import Tensor

from adapters.artifact.preprocessing import Preprocessing
from adapters.vit.backbone import Backbone
from adapters.vit.pixels import levels_of, look_up
from serving.trunk.backend import Addresses, Form, Step
from serving.trunk.cuda import recording
from serving.trunk.cuda.buckets import bucket_of, buckets_up_to
from serving.trunk.cuda.contest import fastest
from serving.trunk.cuda.forward import features_by_address, is_prefix_alone
from serving.trunk.cuda.heads import best_by_address
from serving.trunk.cuda.recording import Recording
from serving.trunk.graphs import spec_of
from serving.trunk.transfer import send

TOP_K: Final = 8
"""Classes kept per row; a batch that wants more takes the features."""

Crops = UInt8[Tensor, "B H W 3"]
Trunk = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], Tensor]

PRODUCTS: Final[dict[str, dict[str, Any]]] = {
    "cuBLAS": {},
    "cuBLAS or Triton": {"max_autotune_gemm": True},
}
"""Options of the compiler, by what computes the linear layers. Only Triton's products can have the
exact GELU and the residual inside; of both, the compiler takes the faster for each layer."""

_ROOM: Final = 8
"""The rows of a table are a multiple of this, so that each of its lines is aligned."""


class CudaSteps:
    """Records and repeats whole steps; see `Steps`.

    Args:
        backbone: one that `reads_by_address`.
        compiled: whether the trunk is compiled before it is recorded.
        max_batch: rows of one step, at most.
    """

    def __init__(self, backbone: Backbone, *, compiled: bool, max_batch: int) -> None:
        self._backbone = backbone
        self._compiled = compiled
        self._buckets = buckets_up_to(max_batch)
        size, most = backbone.spec.image_size, self._buckets[0]
        self._crops = torch.zeros((most, size, size, 3), dtype=torch.uint8, device=backbone.device)
        self._levels = torch.zeros((most, 3, 256), dtype=backbone.dtype, device=backbone.device)
        room = -(-most // _ROOM) * _ROOM
        shape = (len(Addresses._fields), room)
        self._table = torch.zeros(shape, dtype=torch.int64, device=backbone.device)
        self._recordings: dict[tuple[Form, int], Recording] = {}

    @torch.inference_mode()
    def record(self, form: Form) -> bool:
        """Record the steps of a form for every number of rows; return whether there are any.

        Takes seconds to minutes. Compiled, the faster of two ways is kept, by the largest bucket.
        """
        if self.take(form, 1) or not is_prefix_alone(form):
            return self.take(form, 1)
        trunk = self._fastest(self._trunks(form))
        for bucket in self._buckets:
            self._recordings[form, bucket] = self._recorded(trunk, bucket)
        return True

    def take(self, form: Form, rows: int) -> bool:
        """Whether such a step was recorded; see `Steps.take`."""
        return (form, bucket_of(rows)) in self._recordings

    @torch.inference_mode()
    def run(
        self, form: Form, crops: Crops, rules: Sequence[Preprocessing], rows: Sequence[Addresses]
    ) -> Step:
        """Queue one step; see `Steps.run`."""
        device, count = self._backbone.device, len(rows)
        table = torch.zeros(self._table.shape, dtype=torch.int64)
        table[:, :count] = torch.tensor(rows).T
        self._table.copy_(send(table, device))
        levels = torch.stack([levels_of(rule) for rule in rules]).to(self._levels.dtype)
        self._levels[:count].copy_(send(levels, device))
        self._crops[:count].copy_(crops)
        recorded = self._recordings[form, bucket_of(count)]
        recorded.replay()
        return Step(*(output[:count] for output in recorded.outputs))

    def _trunks(self, form: Form) -> Mapping[str, Trunk]:
        """Return the ways to compute a form's features, by name; each has compilers of its own."""
        trunk, spec = self._backbone.trunk, spec_of(self._backbone, form)

        def run(
            crops: Tensor, levels: Tensor, prefixes: Tensor, lengths: Tensor, first_blocks: Tensor
        ) -> Tensor:
            pixels = look_up(crops, levels)
            return features_by_address(trunk, spec, pixels, prefixes, lengths, first_blocks)

        if not self._compiled:
            return {"eager": run}
        compiled = partial(torch.compile, run, fullgraph=True, isolate_recompiles=True)
        return {name: compiled(options=options) for name, options in PRODUCTS.items()}

    def _fastest(self, trunks: Mapping[str, Trunk]) -> Trunk:
        if len(trunks) == 1:
            return next(iter(trunks.values()))
        most = self._buckets[0]
        return trunks[fastest({name: self._recorded(one, most) for name, one in trunks.items()})]

    def _recorded(self, trunk: Trunk, bucket: int) -> Recording:
        return recording.record(partial(self._compute, trunk, bucket))

    def _compute(self, trunk: Trunk, bucket: int) -> tuple[Tensor, ...]:
        *prompts, weights, biases, classes, temperatures = self._table[:, :bucket]
        inputs = self._crops[:bucket], self._levels[:bucket], *prompts
        for rows in inputs:
            torch._dynamo.maybe_mark_dynamic(rows, 0)  # one graph of the compiler for all buckets
        features = trunk(*inputs)
        heads = weights, biases, classes, temperatures
        return features, *best_by_address(features, *heads, TOP_K)
