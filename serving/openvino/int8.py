"""int8 as OpenVINO computes it fastest: scales are settled before, on images."""

from pathlib import Path
from typing import Final

from serving.onnx.comparison import Compute
from serving.onnx.int8 import Rounding
from serving.onnx.static import quantise_static
from serving.openvino.compiled import Compiled


def _opened(graph: Path) -> Compute:
    return Compiled(graph, "int8", streams=1)


OPENVINO: Final = Rounding("openvino", quantise_static, _opened)
