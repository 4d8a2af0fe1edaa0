"""From settings to what runs the trunk: the one place that knows all backends."""

from copy import deepcopy
from dataclasses import replace

import torch

from adapters.vit.backbone import Backbone
from serving.config import ServingConfig
from serving.trunk.backend import Backend
from serving.trunk.choose import torch_backend


def build_backend(config: ServingConfig, backbone: Backbone) -> Backend:
    """Make a backend, not warmed up yet.

    Args:
        config: with everything decided.
        backbone: float32, on its device; stays as it is.

    Raises:
        ConfigError: the processor has not what the settings ask for.
        ExportError: the export is wrong or of another backbone.
    """
    if config.onnx is not None and config.backend == "onnx":
        from serving.onnx.backend import OnnxBackend  # noqa: PLC0415 (a heavy import)

        return OnnxBackend(backbone, config.onnx, config.precision)
    if config.onnx is not None and config.backend == "openvino":
        from serving.openvino.backend import OpenVinoBackend  # noqa: PLC0415 (an extra)

        return OpenVinoBackend(backbone, config.onnx, config.precision)
    return torch_backend(
        _in_bfloat16(backbone) if config.precision == "bfloat16" else backbone,
        compiled=config.compile is True,
        kernels=config.kernels,
        max_batch=config.max_batch,
    )


def _in_bfloat16(backbone: Backbone) -> Backbone:
    return replace(backbone, trunk=deepcopy(backbone.trunk).to(torch.bfloat16))
