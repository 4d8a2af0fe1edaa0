"""The trunk in OpenVINO: the exported float32 graph as it is, one stream for each core."""

from functools import partial
from pathlib import Path
from typing import Final

import openvino
import torch
from torch import Tensor

from adapters.vit.backbone import Backbone
from serving.errors import ConfigError
from serving.onnx.export import GRAPH
from serving.onnx.exported import ExportedBackend, Shares, matching_export
from serving.trunk.side_by_side import SideBySide

ROWS_OF_ONE_CORE: Final = 8

DEVICE: Final = "CPU"
HINTS: Final = {"float32": "f32", "bfloat16": "bf16"}


class OpenVinoBackend(ExportedBackend):
    """Runs an exported trunk; see `Backend`.

    Args:
        backbone: float32, on the CPU; adapters are prepared with it.
        folder: what `export_trunk` wrote.
        precision: to compute in, float32 or bfloat16; features are float32.

    Raises:
        ConfigError: this processor does not compute in bfloat16.
        ExportError: no export, a damaged one, or one of another backbone or in int8.
    """

    def __init__(self, backbone: Backbone, folder: Path, precision: str = "float32") -> None:
        core, cores = openvino.Core(), torch.get_num_threads()
        if precision == "bfloat16" and "BF16" not in _capabilities(core):
            raise ConfigError(
                "backend openvino computes in bfloat16 where the processor has it, and this one "
                f"has {', '.join(_capabilities(core))}; set precision: float32"
            )
        export = matching_export(folder, backbone, "float32")
        graph = core.read_model(folder / GRAPH)

        def compiled(streams: int) -> openvino.CompiledModel:
            return core.compile_model(graph, DEVICE, _options(precision, streams))

        shares = None
        if cores > 1:
            by_side = SideBySide(most_rows=ROWS_OF_ONE_CORE)
            shares = Shares(partial(_run, compiled(cores)), by_side)
        super().__init__(backbone, export, partial(_run, compiled(1)), shares)


def _capabilities(core: openvino.Core) -> list[str]:
    return list(core.get_property(DEVICE, "OPTIMIZATION_CAPABILITIES"))


def _options(precision: str, streams: int) -> dict[str, object]:
    """Return how a graph is compiled for all cores, of which each stream has its share.

    Threads are not pinned: those of several processes would all wait for the same core.
    """
    return {
        "INFERENCE_PRECISION_HINT": HINTS[precision],
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "NUM_STREAMS": streams,
        "ENABLE_CPU_PINNING": False,
    }


def _run(model: openvino.CompiledModel, inputs: dict[str, Tensor]) -> Tensor:
    request = model.create_infer_request()
    feed = {name: tensor.numpy() for name, tensor in inputs.items()}
    request.infer(feed, share_inputs=True)
    return torch.from_numpy(request.get_output_tensor().data.copy())
