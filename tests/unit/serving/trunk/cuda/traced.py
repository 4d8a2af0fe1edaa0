"""Trace a whole step as torch's compiler does for an H100, without one, and tell what it sees."""

from types import SimpleNamespace

import torch
import triton
from torch._dynamo.backends.common import aot_autograd

from adapters.vit.pixels import look_up
from serving.rounding.fp8 import round_trunk
from serving.trunk.backend import Addresses
from serving.trunk.cuda.forward import features_by_address
from serving.trunk.cuda.heads import best_by_address
from tests.fakes.tiny import tiny_backbone
from tests.unit.serving.trunk.cuda.ahead import HOPPER
from tests.unit.serving.trunk.cuda.answers import wide_trunk


def steps_seen():
    """Return what each kernel of a step writes, and how many products in FP8 a step has."""
    # from the kernels' code for a GPU, the compiler tells what they write
    triton.runtime.driver.set_active(SimpleNamespace(get_current_target=lambda: HOPPER))
    backbone = tiny_backbone(wide_trunk())
    exact, rounded = nodes(backbone), nodes(round_trunk(backbone))
    written = [
        sorted(node.kwargs["tensors_to_clone"])
        for node in exact
        if "triton_kernel_wrapper" in str(node.target)
    ]
    products = [sum("scaled_mm" in str(node.target) for node in one) for one in (exact, rounded)]
    return {"written": written, "products": products}


def nodes(backbone):
    """Return what the compiler sees of a step; a number that the host reads would break it."""
    graphs = []

    def keep(graph, _):
        graphs.append(graph)
        return lambda *_: [torch.zeros(1)] * 4

    def step(crops, levels, table):
        prompts, heads = table[:3], table[3:]
        pixels = look_up(crops, levels)
        features = features_by_address(backbone.trunk, backbone.spec, pixels, *prompts)
        return features, *best_by_address(features, *heads, 8)

    compiled = torch.compile(step, backend=aot_autograd(fw_compiler=keep), fullgraph=True)
    crops = torch.zeros(8, 16, 16, 3, dtype=torch.uint8)
    with torch.inference_mode():
        table = torch.zeros(len(Addresses._fields), 8, dtype=torch.int64)
        compiled(crops, torch.zeros(8, 3, 256), table)
    return list(graphs[0].graph.nodes)
