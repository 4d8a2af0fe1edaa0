"""One ONNX Runtime session, on the device that torch would take."""

from pathlib import Path

import onnxruntime
import torch
from torch import Tensor


def open_session(
    graph: Path, *, num_threads: int | None = None, on_cuda: bool = False
) -> onnxruntime.InferenceSession:
    """Load a graph.

    Args:
        graph: an ONNX file.
        num_threads: of one run; default as many as torch uses.
        on_cuda: rather than on the CPU.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = num_threads or torch.get_num_threads()
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    providers = ["CUDAExecutionProvider"] * on_cuda + ["CPUExecutionProvider"]
    return onnxruntime.InferenceSession(str(graph), options, providers=providers)


def run_session(session: onnxruntime.InferenceSession, inputs: dict[str, Tensor]) -> Tensor:
    """Return the features `[B, D]` of inputs by name, on the CPU."""
    feed = {name: tensor.cpu().numpy() for name, tensor in inputs.items()}
    return torch.from_numpy(session.run(["features"], feed)[0])
