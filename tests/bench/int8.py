"""The int8 trunk that is measured, and what its rows in doubt add to it."""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from adapters.vit.backbone import Backbone
from serving.config import LEAST_AGREEMENT
from serving.onnx.backend import OnnxBackend
from serving.onnx.export import GRAPH, write_report
from serving.onnx.int8 import write_int8
from serving.onnx.quantise import quantise
from serving.rounding.agreement import Agreement, Sample, settle
from serving.trunk.backend import Backend
from tests.bench.measure import Seconds


def int8_backend(backbone: Backbone, folder: Path, exact: Path) -> Backend:
    """Quantise a float32 export into a new folder; return what runs it, without any doubts."""
    folder.mkdir()
    quantise(exact / GRAPH, folder / GRAPH)
    write_report(folder, backbone.spec, "int8", errors={})
    return OnnxBackend(backbone, folder, "int8")


def agreement_of(
    backbone: Backbone, exact: Path, samples: Mapping[str, Sample]
) -> dict[str, Agreement]:
    """Return how each task fares in int8 under the service's own floor, as an export does.

    Args:
        backbone: float32, on the CPU.
        exact: folder of its float32 export.
        samples: by task.
    """
    with TemporaryDirectory() as folder:
        seen = write_int8(backbone, exact / GRAPH, Path(folder) / GRAPH, samples)
    return settle(seen, LEAST_AGREEMENT).agreement


def with_doubts(seconds: Seconds, rounded: str, exact: str, again: float) -> list[float]:
    """Return what a rounded candidate takes per round if a share of its rows is computed again."""
    pairs = zip(seconds[rounded], seconds[exact], strict=True)
    return [fast + again * slow for fast, slow in pairs]
