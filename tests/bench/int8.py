"""The int8 trunk that is measured, and how often it gives the same best class as float32."""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from adapters.backbone import Backbone
from serving.backend import Backend
from serving.export import GRAPH, export_trunk, write_report
from serving.onnx_backend import OnnxBackend
from serving.quantise import SCHEMES, Sample, Scheme, agreement, labels_of, quantise

FLOOR = 0.99
"""The service's own default."""


class Tried(NamedTuple):
    """A scheme, and the share of each task's images with the same best class as in float32."""

    scheme: Scheme
    agreement: dict[str, float]


def try_schemes(backbone: Backbone, samples: Mapping[str, Sample]) -> list[Tried]:
    """Try the schemes as an export does, until every task reaches the floor; return all tried."""
    tried: list[Tried] = []
    with TemporaryDirectory() as name:
        exact, int8 = Path(name) / "float32", Path(name) / "int8.onnx"
        export_trunk(backbone, exact)
        expected = labels_of(backbone, exact / GRAPH, samples)
        for scheme in SCHEMES:
            quantise(backbone, exact / GRAPH, int8, scheme)
            tried.append(Tried(scheme, agreement(expected, labels_of(backbone, int8, samples))))
            if min(tried[-1].agreement.values()) >= FLOOR:
                break
    return tried


def int8_backend(backbone: Backbone, folder: Path, exact: Path, scheme: Scheme) -> Backend:
    """Quantise a float32 export under one scheme into a new folder; return what runs it."""
    folder.mkdir()
    quantise(backbone, exact / GRAPH, folder / GRAPH, scheme)
    write_report(folder, backbone.spec, "int8", {})
    return OnnxBackend(backbone, folder, "int8")
