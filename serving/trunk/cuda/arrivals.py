"""Pixels on their way to the device while it computes other rows."""

import torch
from torch import Tensor

from serving.trunk.transfer import send


class Arrivals:
    """A stream of its own for copies to one device."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._streams = torch.get_device_module(device)
        self._copies = self._streams.Stream()

    def placed(self, pixels: Tensor) -> Tensor:
        """Return pixels on the device; its current stream waits for them, the host does not."""
        if pixels.device.type == self._device.type:
            return pixels
        compute = self._streams.current_stream()
        with self._streams.stream(self._copies):
            placed = send(pixels, self._device)
        compute.wait_stream(self._copies)
        placed.record_stream(compute)
        return placed
