"""From settings to what runs the trunk: the one place that knows all backends."""

from copy import deepcopy
from dataclasses import replace
from typing import Any

import torch

from adapters.vit.backbone import Backbone
from serving.config import ServingConfig
from serving.rounding.backend import Fp8Backend
from serving.rounding.measurement import read_measurement
from serving.trunk.backend import Backend
from serving.trunk.choose import torch_backend


def build_backend(config: ServingConfig, backbone: Backbone) -> Backend:
    """Make a backend, not warmed up yet.

    Args:
        config: with everything decided.
        backbone: float32, on its device; stays as it is.

    Raises:
        ConfigError: the processor has not what the settings ask for.
        ExportError: the export, or what was measured of fp8, is wrong or of another backbone.
    """
    if config.onnx is not None and config.backend == "onnx":
        from serving.onnx.backend import OnnxBackend  # noqa: PLC0415 (a heavy import)

        return OnnxBackend(backbone, config.onnx, config.precision)
    if config.onnx is not None and config.backend == "openvino":
        from serving.openvino.backend import OpenVinoBackend  # noqa: PLC0415 (an extra)

        return OpenVinoBackend(backbone, config.onnx, config.precision)
    made: dict[str, Any] = {
        "compiled": config.compile is True,
        "kernels": config.kernels,
        "max_batch": config.max_batch,
    }
    if config.fp8 is not None and config.precision == "fp8":
        found = read_measurement(config.fp8, backbone.spec)
        return Fp8Backend(_in_bfloat16(backbone), found.doubt, found.backbone, **made)
    in_half = config.precision == "bfloat16"
    return torch_backend(_in_bfloat16(backbone) if in_half else backbone, **made)


def _in_bfloat16(backbone: Backbone) -> Backbone:
    return replace(backbone, trunk=deepcopy(backbone.trunk).to(torch.bfloat16))
