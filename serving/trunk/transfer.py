"""Tensors between the host and a device, without waiting for what the device still computes."""

from collections.abc import Callable, Sequence
from functools import cache

import torch
from torch import Tensor


def send(tensor: Tensor, device: torch.device) -> Tensor:
    """Return a tensor of the host on the device; CUDA takes it when its stream comes to it."""
    if device.type != "cuda":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)


def ahead(make: Callable[[], Tensor], device: torch.device) -> Tensor:
    """Return what `make` puts on the device while that computes what was queued before.

    CUDA has a stream of its own for it, for which the current one waits; the host does not.
    """
    if device.type != "cuda":
        return make()
    compute, copies = torch.cuda.current_stream(device), _copies(device)
    with torch.cuda.stream(copies):
        made = make()
    compute.wait_stream(copies)
    made.record_stream(compute)
    return made


@cache
def _copies(device: torch.device) -> torch.cuda.Stream:
    return torch.cuda.Stream(device)


class Fetched:
    """Tensors of one device on their way to the host.

    Args:
        tensors: one at least; they may be overwritten as soon as this returns, on their stream.
    """

    def __init__(self, tensors: Sequence[Tensor]) -> None:
        self._copies = [tensor.to("cpu", non_blocking=True) for tensor in tensors]
        self._there = torch.get_device_module(tensors[0].device).Event()
        self._there.record()

    def wait(self) -> list[Tensor]:
        """Return the copies once the device has written them, and not what was queued later."""
        self._there.synchronize()
        return self._copies
