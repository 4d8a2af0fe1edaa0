"""Rows of one form → pixels on the device → features → best classes → answers.

Launched and collected apart: on CUDA the device computes one chunk while the next one's images
are decoded. Knows residents and pixels; nothing of lookups, decoding or HTTP.
Axis letters: B batch, H W pixels, K classes kept.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from adapters.artifact.codec import short
from adapters.errors import ArtifactCorrupt
from serving.inference.bank import AdapterKey
from serving.inference.heads import Best, best_classes
from serving.inference.out_of_memory import retry_in_room
from serving.inference.prompts import gather_prompts
from serving.inference.recheck import recompute_uncertain
from serving.inference.resident import Resident
from serving.protocol import Answer, LabelScore
from serving.trunk.backend import Backend
from serving.trunk.lost_device import named

Outcome = Answer | Exception


@dataclass(frozen=True, eq=False)
class Row:
    """One image under one adapter, and its place among the outcomes."""

    position: int
    top_k: int
    key: AdapterKey
    resident: Resident
    pixels: Float[Tensor, "3 H W"]


@dataclass(frozen=True, eq=False)
class Launched:
    """A forward that the device may still be computing, or the error that kept it from it."""

    rows: Sequence[Row]
    best: Best | Exception


def launch(
    backend: Backend, rows: Sequence[Row], make_room: Callable[[], None] = lambda: None
) -> Launched:
    """Start one forward.

    Args:
        backend: runs the trunk.
        rows: one at least, of one form, whose residents stay leased until they are collected.
        make_room: called if the device's memory runs out, before the second and last attempt.
    """
    try:
        return Launched(rows, retry_in_room(lambda: _best(backend, rows), make_room))
    except Exception as error:  # one forward's failure stays with its rows
        return Launched(rows, named(error))


def collect(launched: Launched) -> dict[int, Outcome]:
    """Wait for a forward and return each row's outcome by its position."""
    if isinstance(launched.best, Exception):
        return {row.position: launched.best for row in launched.rows}
    try:
        scores, classes = (tensor.tolist() for tensor in launched.best)
    except Exception as error:  # the same, found out only now that the device was waited for
        return dict.fromkeys((row.position for row in launched.rows), named(error))
    return {
        row.position: _outcome(row, *best)
        for row, *best in zip(launched.rows, scores, classes, strict=True)
    }


@torch.inference_mode()
def _best(backend: Backend, rows: Sequence[Row]) -> Best:
    residents = [row.resident for row in rows]
    form = residents[0].form
    prompts = gather_prompts(backend.backbone, form, residents, backend.key_alignment)
    pixels = torch.stack([row.pixels for row in rows])
    features = backend.features(form, pixels, prompts)
    features = recompute_uncertain(backend, residents, pixels, features)
    return best_classes(features, residents, max(row.top_k for row in rows))


def _outcome(row: Row, scores: list[float], classes: list[int]) -> Outcome:
    names = row.resident.meta.task.class_names
    count = min(row.top_k, len(names))
    if not all(map(math.isfinite, scores)):
        return ArtifactCorrupt(
            f"{row.key.task}: version {short(row.key.version)} gives scores that are not numbers; "
            "train it again"
        )
    return Answer(
        task=row.key.task,
        version=row.key.version,
        predictions=tuple(
            LabelScore(label=names[index], index=index, score=score)
            for index, score in zip(classes[:count], scores[:count], strict=True)
        ),
    )
