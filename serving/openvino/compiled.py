"""A graph that OpenVINO has compiled for the CPU."""

import threading
from pathlib import Path
from typing import Final

import openvino
import torch
from torch import Tensor

DEVICE: Final = "CPU"
HINTS: Final = {"float32": "f32", "bfloat16": "bf16"}


class Compiled:
    """Returns features of inputs by name; threads may call it at the same time.

    Args:
        graph: an ONNX file.
        precision: to compute in; what int8 leaves is bfloat16 where the processor has it.
        streams: calls that run at the same time, each with its share of the cores.
    """

    def __init__(self, graph: Path, precision: str, streams: int) -> None:
        core = openvino.Core()
        options = _options(precision, streams)
        self._model = core.compile_model(core.read_model(graph), DEVICE, options)
        self._own = threading.local()

    def __call__(self, inputs: dict[str, Tensor]) -> Tensor:
        """Return the features `[B, D]`, on the CPU."""
        request = self._request()
        feed = {name: tensor.numpy() for name, tensor in inputs.items()}
        request.infer(feed, share_inputs=True)
        return torch.from_numpy(request.get_output_tensor().data.copy())

    def _request(self) -> openvino.InferRequest:
        """Return this thread's, whose memory for what lies between layers is used again."""
        if not hasattr(self._own, "request"):
            self._own.request = self._model.create_infer_request()
        return self._own.request


def has_bfloat16() -> bool:
    """Whether the processor computes in bfloat16."""
    return "BF16" in capabilities()


def capabilities() -> list[str]:
    """Return what this processor computes in, in OpenVINO's words."""
    return list(openvino.Core().get_property(DEVICE, "OPTIMIZATION_CAPABILITIES"))


def _options(precision: str, streams: int) -> dict[str, object]:
    """Return how a graph is compiled for all cores, of which each stream has its share.

    Threads are not pinned: those of several processes would all wait for the same core.
    """
    if precision == "int8":
        precision = "bfloat16" if has_bfloat16() else "float32"
    return {
        "INFERENCE_PRECISION_HINT": HINTS[precision],
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "NUM_STREAMS": streams,
        "ENABLE_CPU_PINNING": False,
    }
