"""Our handler with a device that is lost on demand, for TorchServe to run in place of ours."""

import os
from pathlib import Path
from typing import Any

import torch

import serving.handler
from serving.torchserve.stop_mark import FOLDER_VARIABLE

LOSE = "lose-the-device"
"""A file of this name in the launch's folder is the demand; the worker that hears it deletes it."""


class Fragile(serving.handler.Handler):
    """Raises what torch raises of a lost device, from then on."""

    def initialize(self, context: Any) -> None:
        super().initialize(context)
        demand = Path(os.environ[FOLDER_VARIABLE]) / LOSE
        backend = self._engine._backend
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
