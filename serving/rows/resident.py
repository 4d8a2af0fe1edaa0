"""One adapter on the device, its deep prompts already keys and values, and how it is named.

Axis letters: L blocks, M of them with prompts, P prompts, D width, C classes, h heads, d head
width.
"""

from dataclasses import dataclass, fields
from struct import Struct
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from adapters.artifact.backbone_spec import BackboneSpec, Pooling
from adapters.artifact.meta import AdapterMeta
from adapters.artifact.unknown import Spread
from adapters.errors import ArtifactMismatch
from adapters.vit.adapter import Adapter
from adapters.vit.backbone import Backbone
from adapters.vit.blocks.attention import heads_of
from adapters.vit.prompting import prefix_of
from adapters.vit.read_out import poolings_of
from serving.rows.draws import digest_of
from serving.trunk.backend import Addresses, Form

_AS_FLOAT, _AS_BITS = Struct("<f"), Struct("<i")


class AdapterKey(NamedTuple):
    """One version of one task's adapter."""

    task: str
    version: str


@dataclass(frozen=True, eq=False)
class Resident:
    """One adapter on the device.

    Attributes:
        form: what a row of it can share a forward with.
        prefix: keys and values of deep prompts of the last M blocks, and those learned beside
            them; contiguous as all of these.
        tokens: prompts that travel as tokens: of the first block if shallow, of the last one if
            deep and averaged.
        head_weight: one row per class, in float32 at least.
        head_bias: one number per class, in float32 at least.
        prompts_digest: tells prompts, and what is beside them, from others of the same form; None
            where the trunk is the bare one.
        meta: names, preprocessing, provenance; without what is for people alone.
        biases: added after the attention of every block.
        beside: learned keys and values of the last block, if its prompts are averaged.
        spread: on the host, where the task calls images unknown by their distance.
    """

    form: Form
    prefix: Float[Tensor, "M _ 2 h d"] | None
    tokens: Float[Tensor, "P D"] | None
    head_weight: Float[Tensor, "C D"]
    head_bias: Float[Tensor, " C"]
    prompts_digest: bytes | None
    meta: AdapterMeta
    biases: Float[Tensor, "L D"] | None = None
    beside: Float[Tensor, "K 2 h d"] | None = None
    spread: Spread | None = None

    @property
    def num_prompts(self) -> int:
        """Keys and values of each block that has any."""
        return 0 if self.prefix is None else self.prefix.shape[1]

    @property
    def first_block(self) -> int:
        """The first block that is changed, from 0; the number of blocks where none is."""
        if self.form.shallow or self.form.has_biases:
            return 0
        return self.meta.backbone.depth - (0 if self.prefix is None else len(self.prefix))

    @property
    def num_bytes(self) -> int:
        """Device memory it takes."""
        named = (getattr(self, field.name) for field in fields(self))
        tensors = [found for found in named if isinstance(found, Tensor)]
        return sum(t.numel() * t.element_size() for t in tensors)

    @property
    def addresses(self) -> Addresses:
        """Where a step reads it; they hold as long as this object does."""
        prefix = 0
        if self.prefix is not None:
            block_bytes = self.prefix[0].numel() * self.prefix.element_size()
            prefix = self.prefix.data_ptr() - self.first_block * block_bytes
        return Addresses(
            prefix,
            self.num_prompts,
            self.first_block,
            self.head_weight.data_ptr(),
            self.head_bias.data_ptr(),
            len(self.head_bias),
            *_AS_BITS.unpack(_AS_FLOAT.pack(self.meta.temperature)),
        )


@torch.inference_mode()
def make_resident(adapter: Adapter, backbone: Backbone) -> Resident:
    """Put an adapter on the backbone's device, its deep prompts as keys and values.

    Raises:
        ArtifactMismatch: it was trained on another backbone, or asks for a read-out that this one
            has no part for.
    """
    adapter.check_fits(backbone.spec)
    read_out = adapter.meta.backbone
    _check_read_out(adapter, backbone)

    def placed(tensor: Tensor) -> Tensor:
        return tensor.to(backbone.device, backbone.dtype)

    prefix = tokens = beside = None
    prompts = None if adapter.prompts is None else placed(adapter.prompts)
    if prompts is not None and not adapter.is_deep:
        tokens = prompts[0]
    elif prompts is not None:
        prefix = prefix_of(backbone.trunk, prompts, adapter.keys_values)
        if read_out.pooling == "mean-with-prompts":
            tokens, beside = prompts[-1].clone(), _beside(prefix, prompts)
    form = Form(
        num_tokens=0 if tokens is None else len(tokens),
        shallow=prompts is not None and not adapter.is_deep,
        pooling=_pooling(read_out, has_prompts=prompts is not None),
        final_norm=read_out.final_norm,
        has_biases=adapter.biases is not None,
        num_beside=0 if beside is None else len(beside),
    )
    # rounded to bfloat16, a head would flip labels and save nothing: it is used in float32
    exact = torch.promote_types(backbone.dtype, torch.float32)
    head_weight = adapter.head_weight.to(backbone.device, exact).contiguous()
    head_bias = adapter.head_bias.to(backbone.device, exact).contiguous()
    biases = None if adapter.biases is None else placed(adapter.biases).contiguous()
    meta = adapter.meta.model_copy(update={"card": None, "samples": ()})  # nobody reads them here
    return Resident(
        *(form, prefix, tokens, head_weight, head_bias, _digest_of(adapter), meta),
        *(biases, beside, adapter.spread),
    )


def _beside(
    prefix: Float[Tensor, "M _ 2 h d"], prompts: Float[Tensor, "M P D"]
) -> Float[Tensor, "K 2 h d"] | None:
    """Return the last block's keys and values that are none of its prompts'."""
    found = prefix[-1, prompts.shape[1] :].clone()
    return found if len(found) else None


def _check_read_out(adapter: Adapter, backbone: Backbone) -> None:
    meta, choices = adapter.meta, poolings_of(backbone.trunk)
    if meta.backbone.pooling not in choices:
        raise ArtifactMismatch(
            f"adapter of {meta.task.id}: pooling {meta.backbone.pooling} needs a part that "
            f"{backbone.spec.name} lacks, it has {', '.join(choices)}; train it again"
        )
    if adapter.keys_values is None:
        return
    found, heads = tuple(adapter.keys_values.shape[2:]), heads_of(backbone.trunk.blocks[0])
    if found != heads:
        raise ArtifactMismatch(
            f"adapter of {meta.task.id}: its keys and values are for {found} heads and head width, "
            f"{backbone.spec.name} has {heads}; train it again"
        )


def _digest_of(adapter: Adapter) -> bytes | None:
    changing = {n: one for n, one in adapter.tensors.items() if not n.startswith("head.")}
    if not changing:
        return None
    shapes = {name: tuple(one.shape) for name, one in changing.items()}
    numbers = b"".join(one.numpy().tobytes() for one in changing.values())
    return digest_of(repr(shapes).encode() + numbers)


def _pooling(read_out: BackboneSpec, *, has_prompts: bool) -> Pooling:
    """Return what is averaged: without prompts there are none to average with the patches."""
    if read_out.pooling == "mean-with-prompts" and not has_prompts:
        return "mean"
    return read_out.pooling
