"""Run whole steps on a GPU, eager and compiled; print how far they are from float64, as JSON.

In FP8, too, where the GPU has it: as they are, and with all rows in doubt.
"""

import json

import torch

from serving.rounding.backend import Fp8Backend
from serving.rounding.fp8 import CAPABILITY
from serving.trunk.cuda.backend import CudaBackend
from tests.fakes.tiny import tiny_backbone
from tests.unit.serving.trunk.cuda.answers import compared, wide_trunk


def main() -> None:
    torch.manual_seed(0)
    found = {}
    for compiled in (False, True):
        backbone = tiny_backbone(wide_trunk().cuda(), dtype=torch.bfloat16)
        backend = CudaBackend(backbone, compiled=compiled, kernels=True, max_batch=3)
        found[f"compiled {compiled}"] = compared(backend)
        if torch.cuda.get_device_capability() >= CAPABILITY:
            for doubt in (0.0, torch.inf):
                rounded = Fp8Backend(backbone, doubt, compiled=compiled, kernels=True, max_batch=3)
                found[f"fp8, compiled {compiled}, doubt {doubt}"] = compared(rounded)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
