"""The trunk in int8, and how far its rows can be trusted; see `serving.rounding.agreement`."""

import shutil
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import onnxruntime
from torch import Tensor

from adapters.vit.backbone import Backbone
from serving.forward.prompts import gather_prompts
from serving.onnx.comparison import errors_against_torch
from serving.onnx.export import (
    GRAPH,
    Export,
    export_trunk,
    fresh,
    put_in_place,
    write_report,
)
from serving.onnx.exported import graph_inputs
from serving.onnx.quantise import quantise
from serving.onnx.session import open_session, run_session
from serving.rounding.agreement import Sample, Seen, compare, settle
from serving.rows.resident import Resident


def export_int8(
    backbone: Backbone, folder: Path, samples: Mapping[str, Sample], floor: float
) -> Export:
    """Write an int8 trunk, and the margin below which its rows are to be computed again.

    Args:
        backbone: float32, on the CPU; its own read-out is exported.
        folder: replaced if it exists.
        samples: by task; one at least, of two images at least.
        floor: the smallest share of a task's images whose best class must be that of float32.

    Raises:
        ExportError: some task stays below the floor; nothing is written.
    """
    scratch = fresh(folder)
    try:
        with TemporaryDirectory() as name:
            exact = Path(name) / "float32"
            export_trunk(backbone, exact)
            seen = write_int8(backbone, exact / GRAPH, scratch / GRAPH, samples)
        settled = settle(seen, floor)
        settled.demand(floor, f"int8 of {backbone.spec.name}", "float32")
        errors = errors_against_torch(backbone, scratch / GRAPH)
        export = write_report(scratch, backbone.spec, "int8", errors=errors, **settled._asdict())
        put_in_place(scratch, folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return export


def write_int8(
    backbone: Backbone, exact: Path, graph: Path, samples: Mapping[str, Sample]
) -> dict[str, Seen]:
    """Write an int8 graph and compare it with float32.

    Args:
        backbone: float32, on the CPU.
        exact: its graph, as `export_trunk` writes it.
        graph: written.
        samples: by task.
    """
    quantise(exact, graph)
    sessions = open_session(exact), open_session(graph)
    return {task: _compared(backbone, *sessions, sample) for task, sample in samples.items()}


def _compared(
    backbone: Backbone,
    exact: onnxruntime.InferenceSession,
    rounded: onnxruntime.InferenceSession,
    sample: Sample,
) -> Seen:
    def features_of(
        session: onnxruntime.InferenceSession, pixels: Tensor, residents: Sequence[Resident]
    ) -> Tensor:
        prompts = gather_prompts(backbone, sample.resident.form, residents)
        return run_session(session, graph_inputs(pixels, prompts))

    return compare(sample, partial(features_of, exact), partial(features_of, rounded))
