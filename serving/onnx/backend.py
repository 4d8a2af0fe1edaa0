"""The trunk in ONNX Runtime."""

from functools import partial
from pathlib import Path
from typing import Final

import torch

from adapters.vit.backbone import Backbone
from serving.onnx.export import GRAPH
from serving.onnx.exported import ExportedBackend, Shares, matching_export
from serving.onnx.session import open_session, run_session
from serving.trunk.side_by_side import SideBySide

ROWS_OF_ONE_CORE: Final = 2


class OnnxBackend(ExportedBackend):
    """Runs an exported trunk; see `Backend`.

    Args:
        backbone: float32; adapters are prepared with it.
        folder: what `export_trunk` or `export_int8` wrote.
        precision: what the export must be, float32 or int8; int8 runs on the CPU.

    Raises:
        ExportError: no export, a damaged one, or one of another backbone or precision.
    """

    def __init__(self, backbone: Backbone, folder: Path, precision: str = "float32") -> None:
        export = matching_export(folder, backbone, precision, "onnx")
        on_cuda = backbone.device.type == "cuda" and precision != "int8"
        whole = open_session(folder / GRAPH, on_cuda=on_cuda)
        shares = None
        if not on_cuda and torch.get_num_threads() > 1:
            one_core = open_session(folder / GRAPH, num_threads=1)
            shares = Shares(partial(run_session, one_core), SideBySide(most_rows=ROWS_OF_ONE_CORE))
        super().__init__(backbone, export, partial(run_session, whole), shares)
