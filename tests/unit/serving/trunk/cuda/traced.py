"""Trace a whole step as torch's compiler does for an H100, without one; print what it sees."""

import json
from types import SimpleNamespace

import torch
import triton
from torch._dynamo.backends.common import aot_autograd
from triton.backends.compiler import GPUTarget

from serving.trunk.cuda.forward import features_by_address
from serving.trunk.cuda.heads import best_by_address
from tests.fakes.tiny import tiny_backbone
from tests.unit.serving.trunk.cuda.answers import wide_trunk

HOPPER = GPUTarget("cuda", 90, 32)


def main() -> None:
    # from the kernels' code for a GPU, the compiler tells what they write
    triton.runtime.driver.set_active(SimpleNamespace(get_current_target=lambda: HOPPER))
    graphs = []

    def keep(graph, _):
        graphs.append(graph)
        return lambda *_: [torch.zeros(1)] * 4

    backbone = tiny_backbone(wide_trunk())

    def step(pixels, table):
        prefixes, lengths, *heads = table
        features = features_by_address(backbone.trunk, backbone.spec, pixels, prefixes, lengths)
        return features, *best_by_address(features, *heads, 8)

    compiled = torch.compile(step, backend=aot_autograd(fw_compiler=keep), fullgraph=True)
    with torch.inference_mode():
        compiled(torch.zeros(8, 3, 16, 16), torch.zeros(5, 8, dtype=torch.int64))
    written = [
        sorted(node.kwargs["tensors_to_clone"])
        for node in graphs[0].graph.nodes
        if "triton_kernel_wrapper" in str(node.target)
    ]
    print(json.dumps(written))


if __name__ == "__main__":
    main()
