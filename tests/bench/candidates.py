"""Everything that takes part in one contest of forwards: ours and its peers, on one backbone."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from adapters.vit.adapter import Adapter
from adapters.vit.backbone import Backbone
from serving.onnx.backend import OnnxBackend
from serving.onnx.export import export_trunk
from serving.rows.resident import make_resident
from serving.trunk.backend import Backend, Example, Form
from serving.trunk.choose import torch_backend
from tests.bench import peers
from tests.bench.int8 import int8_backend
from tests.bench.models import NUM_PROMPTS
from tests.bench.peers import Forward


def warm_backends(
    backbone: Backbone, batches: Sequence[int], *, compiled: bool
) -> dict[str, Backend]:
    """Return our backends by the name of their candidate, warmed up.

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


def exported_backends(backbone: Backbone, folder: Path) -> dict[str, Backend]:
    """Export the trunk and return the backends that run it; the folder must stay.

    Args:
        backbone: float32, on the CPU.
        folder: where to write.
    """
    exact = folder / "float32"
    export_trunk(backbone, exact)
    return {
        "onnx": OnnxBackend(backbone, exact),
        "onnx int8": int8_backend(backbone, folder / "int8", exact),
    }


def bare_trunks(
    backbone: Backbone, batches: Sequence[int], *, compiled: bool
) -> dict[str, Forward]:
    """Return timm's own forward, and the same compiled; arguments as of `warm_backends`."""
    bare = {"plain": peers.plain(backbone)}
    if compiled:
        bare["plain compiled"] = peers.plain_compiled(backbone, batches)
    return bare


@torch.inference_mode()
def with_adapters(
    backbone: Backbone, backends: Mapping[str, Backend], adapters: Sequence[Adapter]
) -> dict[str, Forward]:
    """Return every way to compute one row of each adapter.

    Args:
        backbone: of the peers.
        backends: by name, `mixed` among them.
        adapters: with deep prompts.
    """
    residents = [make_resident(adapter, backbone) for adapter in adapters]
    prompts = [
        adapter.prompts.to(backbone.device, backbone.dtype)
        for adapter in adapters
        if adapter.prompts is not None
    ]
    return {name: peers.mixed(backend, residents) for name, backend in backends.items()} | {
        "token form": peers.tokens_in_batch(backbone, prompts),
        "one forward per task": peers.one_by_one(backends["mixed"], residents),
        "separate models": peers.separate_models(backbone, len(adapters)),
    }
