"""Our handler with a device and a store that fail on demand, for TorchServe to run instead of ours.

A demand is a file in the launch's folder.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

import serving.handler
from adapters.store import durable
from serving.health.stop_mark import FOLDER_VARIABLE

LOSE = "lose-the-device"
"""The worker that hears it deletes it."""

_POLL_S = 0.1
"""So long that many calls that wait take no time from the others."""

HANG = "hang-the-store"
"""While it is there no call to the store comes back, as on a network directory that is away."""


class Fragile(serving.handler.Handler):
    """Raises what torch raises of a lost device, from the demand on; waits for a hanging store."""

    def initialize(self, context: Any) -> None:
        folder = Path(os.environ[FOLDER_VARIABLE])
        self._hang_on(folder / HANG)
        super().initialize(context)
        self._lose_on(folder / LOSE)

    def _hang_on(self, demand: Path) -> None:
        whole = durable.reaching

        @contextmanager
        def reaching(path: Path) -> Iterator[None]:
            while demand.exists():
                time.sleep(_POLL_S)
            with whole(path):
                yield

        durable.reaching = reaching

    def _lose_on(self, demand: Path) -> None:
        backend = self._engine.core.backend
        whole, lost = backend.features, False

        def features(*given: Any) -> Any:
            nonlocal lost
            if demand.exists():
                demand.unlink()
                lost = True
            if lost:
                raise torch.AcceleratorError("CUDA error: an illegal memory access occurred")
            return whole(*given)

        backend.features = features  # type: ignore[method-assign]
