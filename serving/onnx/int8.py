"""The trunk in int8, and how far its rows can be trusted.

Rounding moves features a little, so the best class of a row near a boundary may change. How near
is measured on images of published tasks: half of them settle the margin below which a row is
computed again in float32, the other half tell how often int8 then agrees with float32.
"""

import math
import shutil
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

import onnxruntime
import torch
from torch import Tensor

from adapters.vit.backbone import Backbone
from serving.errors import ExportError
from serving.forward.heads import best_classes, margins
from serving.forward.prompts import gather_prompts
from serving.onnx.comparison import errors_against_torch
from serving.onnx.export import (
    GRAPH,
    Agreement,
    Export,
    export_trunk,
    fresh,
    put_in_place,
    write_report,
)
from serving.onnx.exported import graph_inputs
from serving.onnx.quantise import quantise
from serving.onnx.session import open_session, run_session
from serving.rows.resident import Resident

ROWS: Final = 16
SAFETY: Final = 0.5
"""Of the disagreements that the floor allows, the share that may be left when settling."""


class Sample(NamedTuple):
    """One task and images of it, pixels as the backbone takes them."""

    resident: Resident
    pixels: Tensor


class Seen(NamedTuple):
    """What int8 makes of one task's images: their margins, and which labels are wrong."""

    margins: Tensor
    wrong: Tensor

    def half(self, which: int) -> "Seen":
        """Return every other image, from the first (0) or the second (1) on."""
        return Seen(self.margins[which::2], self.wrong[which::2])

    def agreement(self, doubt: float) -> Agreement:
        """Return how the task fares if images in doubt are computed again."""
        again = ~(self.margins >= doubt)
        same = again | ~self.wrong
        return Agreement(same=float(same.double().mean()), again=float(again.double().mean()))


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
        seen = write_int8(backbone, scratch / GRAPH, samples)
        doubt = settle_doubt(seen, floor)
        agreement = {task: found.half(1).agreement(doubt) for task, found in seen.items()}
        if min(found.same for found in agreement.values()) < floor:
            raise ExportError(
                f"int8 of {backbone.spec.name}: every task must agree with float32 on {floor:.1%} "
                f"of its images, found {in_words(agreement)}; nothing was written. Give more "
                "images with --images, serve float32, or accept less with --floor"
            )
        errors = errors_against_torch(backbone, scratch / GRAPH)
        export = write_report(
            scratch, backbone.spec, "int8", errors=errors, doubt=doubt, agreement=agreement
        )
        put_in_place(scratch, folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return export


def write_int8(backbone: Backbone, graph: Path, samples: Mapping[str, Sample]) -> dict[str, Seen]:
    """Write an int8 graph and compare it with float32.

    Args:
        backbone: float32, on the CPU; its own read-out is exported.
        graph: written.
        samples: by task.
    """
    with TemporaryDirectory() as name:
        exact = Path(name) / "float32"
        export_trunk(backbone, exact)
        quantise(exact / GRAPH, graph)
        sessions = open_session(exact / GRAPH), open_session(graph)
        return {task: _compare(backbone, sessions, sample) for task, sample in samples.items()}


def settle_doubt(seen: Mapping[str, Seen], floor: float) -> float:
    """Return the least margin below which rows must be computed again, by half of the images.

    Computed again, they leave each task with at most `SAFETY` of the disagreements that the floor
    allows.
    """
    return max(_doubt(found.half(0), floor) for found in seen.values())


def in_words(agreement: Mapping[str, Agreement]) -> str:
    """Return one line about all tasks."""
    return ", ".join(
        f"{task} {found.same:.1%} with {found.again:.1%} computed again"
        for task, found in sorted(agreement.items())
    )


def _doubt(seen: Seen, floor: float) -> float:
    allowed = max(0, math.floor(SAFETY * (1 - floor) * len(seen.wrong) + 1e-9))
    known = seen.margins[seen.wrong & ~seen.margins.isnan()]
    wrong = known.sort(descending=True).values
    if len(wrong) <= allowed:
        return 0.0
    return float(torch.nextafter(wrong[allowed], torch.tensor(torch.inf)))


@torch.inference_mode()
def _compare(
    backbone: Backbone,
    sessions: tuple[onnxruntime.InferenceSession, onnxruntime.InferenceSession],
    sample: Sample,
) -> Seen:
    found_margins, wrong = [], []
    for pixels in sample.pixels.split(ROWS):
        residents = [sample.resident] * len(pixels)
        prompts = gather_prompts(backbone, sample.resident.form, residents)
        exact, rounded = (run_session(one, graph_inputs(pixels, prompts)) for one in sessions)
        labels = [best_classes(features, residents, 1)[1][:, 0] for features in (exact, rounded)]
        found_margins.append(margins(rounded, residents))
        wrong.append(labels[0] != labels[1])
    return Seen(torch.cat(found_margins), torch.cat(wrong))
