"""The int8 trunks that are measured, and what their rows in doubt add to them."""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor

from adapters.vit.backbone import Backbone
from serving.config import LEAST_AGREEMENT
from serving.forward.prompts import gather_prompts
from serving.onnx.backend import OnnxBackend
from serving.onnx.export import GRAPH, write_report
from serving.onnx.exported import graph_inputs
from serving.onnx.int8 import ONNX_RUNTIME, Rounding, write_int8
from serving.openvino.backend import OpenVinoBackend
from serving.openvino.int8 import OPENVINO
from serving.rounding.agreement import Agreement, Sample, settle
from serving.rows.resident import make_resident
from serving.trunk.backend import Backend
from tests.bench.measure import Seconds
from tests.bench.models import random_adapter, random_pixels

ROUNDINGS = {"onnx int8": ONNX_RUNTIME, "openvino int8": OPENVINO}
_BACKENDS = {"onnx int8": OnnxBackend, "openvino int8": OpenVinoBackend}
_ROWS = 16


def int8_backends(backbone: Backbone, folder: Path, exact: Path) -> dict[str, Backend]:
    """Quantise a float32 export into folders; return what runs them, without any doubts."""
    found: dict[str, Backend] = {}
    for name, rounding in ROUNDINGS.items():
        place = folder / rounding.runtime
        place.mkdir(parents=True)
        rounding.quantise(exact / GRAPH, place / GRAPH, [_some_inputs(backbone)])
        write_report(place, backbone.spec, "int8", runtime=rounding.runtime, errors={})
        found[name] = _BACKENDS[name](backbone, place, "int8")
    return found


@torch.inference_mode()
def _some_inputs(backbone: Backbone) -> dict[str, Tensor]:
    adapters = (random_adapter(backbone.spec, i) for i in range(_ROWS))
    residents = [make_resident(adapter, backbone) for adapter in adapters]
    prompts = gather_prompts(backbone, residents[0].form, residents)
    return graph_inputs(random_pixels(backbone, _ROWS), prompts)


def agreement_of(
    backbone: Backbone, exact: Path, samples: Mapping[str, Sample], rounding: Rounding
) -> dict[str, Agreement]:
    """Return how each task fares in int8 under the service's own floor, as an export does.

    Args:
        backbone: float32, on the CPU.
        exact: folder of its float32 export.
        samples: by task.
        rounding: of the runtime that would serve.
    """
    with TemporaryDirectory() as folder:
        seen = write_int8(backbone, exact / GRAPH, Path(folder) / GRAPH, samples, rounding)
    return settle(seen, LEAST_AGREEMENT).agreement


def with_doubts(seconds: Seconds, rounded: str, exact: str, again: float) -> list[float]:
    """Return what a rounded candidate takes per round if a share of its rows is computed again."""
    pairs = zip(seconds[rounded], seconds[exact], strict=True)
    return [fast + again * slow for fast, slow in pairs]
