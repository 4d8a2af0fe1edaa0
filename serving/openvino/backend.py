"""The trunk in OpenVINO: an exported graph as it is, one stream for each core."""

from pathlib import Path
from typing import Final

import torch

from adapters.vit.backbone import Backbone
from serving.errors import ConfigError
from serving.onnx.export import GRAPH
from serving.onnx.exported import ExportedBackend, Shares, matching_export
from serving.openvino.compiled import Compiled, capabilities, has_bfloat16
from serving.trunk.side_by_side import SideBySide

ROWS_OF_ONE_CORE: Final = 8


class OpenVinoBackend(ExportedBackend):
    """Runs an exported trunk; see `Backend`.

    Args:
        backbone: float32, on the CPU; adapters are prepared with it.
        folder: what `export_trunk` wrote, or `export_int8` for OpenVINO.
        precision: to compute in, float32, bfloat16 or int8; features are float32.

    Raises:
        ConfigError: this processor does not compute in bfloat16.
        ExportError: no export, a damaged one, or one of another backbone, precision or runtime.
    """

    def __init__(self, backbone: Backbone, folder: Path, precision: str = "float32") -> None:
        if precision == "bfloat16" and not has_bfloat16():
            raise ConfigError(
                "backend openvino computes in bfloat16 where the processor has it, and this one "
                f"has {', '.join(capabilities())}; set precision: float32"
            )
        exported = "int8" if precision == "int8" else "float32"
        export = matching_export(folder, backbone, exported, "openvino")
        graph, cores = folder / GRAPH, torch.get_num_threads()
        shares = None
        if cores > 1:
            by_side = SideBySide(most_rows=ROWS_OF_ONE_CORE)
            shares = Shares(Compiled(graph, precision, streams=cores), by_side)
        super().__init__(backbone, export, Compiled(graph, precision, streams=1), shares)
