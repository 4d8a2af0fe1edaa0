"""One ONNX Runtime session, on the device that torch would take."""

from pathlib import Path

import onnxruntime
import torch
from torch import Tensor


def open_session(graph: Path) -> onnxruntime.InferenceSession:
    """Load a graph; on CUDA where torch sees one, else on as many threads as torch uses."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    providers = ["CPUExecutionProvider"]
    if torch.cuda.is_available():
        providers.insert(0, "CUDAExecutionProvider")
    return onnxruntime.InferenceSession(str(graph), options, providers=providers)


def run_session(session: onnxruntime.InferenceSession, inputs: dict[str, Tensor]) -> Tensor:
    """Return the features `[B, D]` of inputs by name, on the CPU."""
    feed = {name: tensor.cpu().numpy() for name, tensor in inputs.items()}
    return torch.from_numpy(session.run(["features"], feed)[0])
