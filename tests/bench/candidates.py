"""Everything that takes part in one contest of forwards: ours and its peers, on one backbone."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from adapters.vit.adapter import Adapter
from adapters.vit.backbone import Backbone
from serving.onnx.backend import OnnxBackend
from serving.openvino.backend import OpenVinoBackend
from serving.rows.resident import make_resident
from serving.trunk.backend import Backend, Example, Form
from serving.trunk.choose import torch_backend
from tests.bench import peers
from tests.bench.int8 import ROUNDINGS, int8_backends
from tests.bench.models import NUM_PROMPTS, precision_of
from tests.bench.peers import Forward
from tests.bench.plain.on_onnxruntime import onnxruntime_settings
from tests.bench.plain.on_openvino import openvino_settings

ROUNDED = frozenset(ROUNDINGS)
"""Those of ours that are not exact, and so never the best."""


def torch_backends(
    backbone: Backbone, batches: Sequence[int], *, compiled: bool
) -> dict[str, Backend]:
    """Return ours in torch by the name of their candidate, warmed up.

    Args:
        backbone: whose class token is read.
        batches: rows of the forwards to come.
        compiled: whether to compile one, too; takes up to a minute.
    """
    form = Form(0, False, backbone.spec.pooling, backbone.spec.final_norm)
    backends: dict[str, Backend] = {"mixed": torch_backend(backbone, max_batch=max(batches))}
    if compiled:
        backends["mixed compiled"] = torch_backend(backbone, compiled=True, max_batch=max(batches))
    for backend in backends.values():
        backend.warm_up([Example(form, NUM_PROMPTS)])
    return backends


def exported_backends(
    backbone: Backbone, precision: str, exact: Path, folder: Path
) -> dict[str, Backend]:
    """Return ours that run an exported trunk in a precision; both folders must stay.

    Args:
        backbone: float32, on the CPU.
        precision: `float32` or `bfloat16`.
        exact: its float32 export.
        folder: where to write.
    """
    backends: dict[str, Backend] = {"openvino": OpenVinoBackend(backbone, exact, precision)}
    if precision == "float32":
        backends["onnx"] = OnnxBackend(backbone, exact)
        backends |= int8_backends(backbone, folder / "int8", exact)
    return backends


def plain_peers(
    backbone: Backbone, batches: Sequence[int], graph: Path | None, *, compiled: bool
) -> dict[str, Mapping[str, Forward]]:
    """Return everything that runs the bare trunk: by name, its settings.

    Args:
        backbone: in the precision to be measured.
        batches: rows of the forwards to come.
        graph: of the bare trunk; None leaves out what needs one.
        compiled: whether to compile timm's, too.
    """
    precision = precision_of(backbone)
    plain: dict[str, Mapping[str, Forward]] = {"plain": {"eager": peers.plain(backbone)}}
    if compiled:
        plain["plain compiled"] = {"compiled": peers.plain_compiled(backbone, batches)}
    if graph is not None:
        plain["plain openvino"] = openvino_settings(graph, precision)
    if graph is not None and precision == "float32":
        plain["plain onnx"] = onnxruntime_settings(graph)
    return plain


@torch.inference_mode()
def with_adapters(
    backends: Mapping[str, Backend], adapters: Sequence[Adapter]
) -> dict[str, Forward]:
    """Return ours on one row of each adapter, which has deep prompts."""
    return {
        name: peers.mixed(backend, [make_resident(one, backend.backbone) for one in adapters])
        for name, backend in backends.items()
    }


@torch.inference_mode()
def other_ways(
    backbone: Backbone, backend: Backend, adapters: Sequence[Adapter], *, copies: bool
) -> dict[str, Forward]:
    """Return other ways to compute one row of each adapter, which has deep prompts.

    Args:
        backbone: of the peers.
        backend: of ours, which computes one task after the other.
        adapters: one per row.
        copies: whether a whole model per task is one of them.
    """
    residents = [make_resident(adapter, backbone) for adapter in adapters]
    prompts = [
        adapter.prompts.to(backbone.device, backbone.dtype)
        for adapter in adapters
        if adapter.prompts is not None
    ]
    ways = {
        "token form": peers.tokens_in_batch(backbone, prompts),
        "one forward per task": peers.one_by_one(backend, residents),
    }
    if copies:
        ways["separate models"] = peers.separate_models(backbone, len(adapters))
    return ways
