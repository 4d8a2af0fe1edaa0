"""The int8 trunk that is measured."""

from pathlib import Path

from adapters.backbone import Backbone
from serving.backend import Backend
from serving.export import GRAPH, write_report
from serving.onnx_backend import OnnxBackend
from serving.quantise import Scheme, quantise


def int8_backend(backbone: Backbone, folder: Path, exact: Path, scheme: Scheme) -> Backend:
    """Quantise a float32 export under one scheme into a new folder; return what runs it."""
    folder.mkdir()
    quantise(backbone, exact / GRAPH, folder / GRAPH, scheme)
    write_report(folder, backbone.spec, "int8", {})
    return OnnxBackend(backbone, folder, "int8")
