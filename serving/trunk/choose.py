"""Which backend runs a trunk in torch: the one of its device."""

from adapters.vit.backbone import Backbone
from serving.trunk.backend import Backend
from serving.trunk.cpu import CpuBackend


def torch_backend(
    backbone: Backbone, *, compiled: bool = False, kernels: bool = False, max_batch: int = 32
) -> Backend:
    """Return what runs a backbone where it is.

    Args:
        backbone: frozen, on its device, in the floating type to compute in.
        compiled: whether what is warmed up is compiled.
        kernels: whether to run our own kernels where there are any, on CUDA.
        max_batch: rows of one forward, at most.
    """
    if backbone.device.type == "cpu":
        return CpuBackend(backbone, compiled=compiled, max_batch=max_batch)
    from serving.trunk.cuda.backend import CudaBackend  # noqa: PLC0415 (Triton is not everywhere)

    return CudaBackend(backbone, compiled=compiled, kernels=kernels, max_batch=max_batch)
