"""Run whole steps on a GPU, eager and compiled; print how far they are from float64, as JSON."""

import json

import torch

from serving.trunk.cuda.backend import CudaBackend
from tests.fakes.tiny import tiny_backbone
from tests.unit.serving.trunk.cuda.answers import compared, wide_trunk


def main() -> None:
    torch.manual_seed(0)
    found = {}
    for compiled in (False, True):
        backbone = tiny_backbone(wide_trunk().cuda(), dtype=torch.bfloat16)
        backend = CudaBackend(backbone, compiled=compiled, kernels=True, max_batch=3)
        found["compiled" if compiled else "eager"] = compared(backend)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
