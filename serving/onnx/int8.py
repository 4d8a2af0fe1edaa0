"""The trunk in int8, and how far its rows can be trusted; see `serving.rounding.agreement`."""

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

from torch import Tensor

from adapters.vit.backbone import Backbone
from serving.forward.prompts import gather_prompts
from serving.onnx.comparison import Compute, errors_against_torch
from serving.onnx.export import (
    GRAPH,
    Export,
    Runtime,
    export_trunk,
    fresh,
    put_in_place,
    write_report,
)
from serving.onnx.exported import graph_inputs
from serving.onnx.quantise import quantise
from serving.onnx.session import open_session, run_session
from serving.rounding.agreement import ROWS, Sample, Seen, compare, settle
from serving.rows.resident import Resident

Inputs = dict[str, Tensor]

SCALED: Final = 64
"""Images of a task that settle scales; of 16, four times as many rows stay in doubt."""


class Rounding(NamedTuple):
    """How a runtime computes in int8.

    Attributes:
        runtime: its name.
        quantise: writes a graph in int8; of a float32 one, the target, and inputs that may settle
            scales.
        opened: loads a graph.
    """

    runtime: Runtime
    quantise: Callable[[Path, Path, Iterable[Inputs]], None]
    opened: Callable[[Path], Compute]


def _opened(graph: Path) -> Compute:
    return partial(run_session, open_session(graph))


ONNX_RUNTIME: Final = Rounding("onnx", lambda source, target, _: quantise(source, target), _opened)


def export_int8(
    backbone: Backbone,
    folder: Path,
    samples: Mapping[str, Sample],
    floor: float,
    rounding: Rounding = ONNX_RUNTIME,
) -> Export:
    """Write an int8 trunk, and the margin below which its rows are to be computed again.

    Args:
        backbone: float32, on the CPU; its own read-out is exported.
        folder: replaced if it exists.
        samples: by task; one at least, of two images at least.
        floor: the smallest share of a task's images whose best class must be that of float32.
        rounding: of the runtime that is to serve.

    Raises:
        ExportError: some task stays below the floor; nothing is written.
    """
    scratch = fresh(folder)
    try:
        with TemporaryDirectory() as name:
            exact = Path(name) / "float32"
            export_trunk(backbone, exact)
            seen = write_int8(backbone, exact / GRAPH, scratch / GRAPH, samples, rounding)
        settled = settle(seen, floor)
        settled.demand(floor, f"int8 of {backbone.spec.name}", "float32")
        errors = errors_against_torch(backbone, rounding.opened(scratch / GRAPH))
        found = {"runtime": rounding.runtime, "errors": errors, **settled._asdict()}
        export = write_report(scratch, backbone.spec, "int8", **found)
        put_in_place(scratch, folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return export


def write_int8(
    backbone: Backbone,
    exact: Path,
    graph: Path,
    samples: Mapping[str, Sample],
    rounding: Rounding,
) -> dict[str, Seen]:
    """Write an int8 graph and compare it with float32.

    Args:
        backbone: float32, on the CPU.
        exact: its graph, as `export_trunk` writes it.
        graph: written.
        samples: by task.
        rounding: of the runtime that is to serve.
    """
    batches = (batch for sample in samples.values() for batch in _some_inputs(backbone, sample))
    rounding.quantise(exact, graph, batches)
    features = (
        partial(_features, backbone, _opened(exact)),
        partial(_features, backbone, rounding.opened(graph)),
    )
    return {task: compare(sample, *features) for task, sample in samples.items()}


def _some_inputs(backbone: Backbone, sample: Sample) -> Iterator[Inputs]:
    """Yield inputs of some of a task's images, of those that settle the margin, too."""
    for pixels in sample.pixels[: 2 * SCALED : 2].split(ROWS):
        yield _inputs(backbone, pixels, [sample.resident] * len(pixels))


def _features(
    backbone: Backbone, compute: Compute, pixels: Tensor, residents: Sequence[Resident]
) -> Tensor:
    return compute(_inputs(backbone, pixels, residents))


def _inputs(backbone: Backbone, pixels: Tensor, residents: Sequence[Resident]) -> Inputs:
    return graph_inputs(pixels, gather_prompts(backbone, residents[0].form, residents))
