"""Rows of one form → pixels on the device → features → best classes → answers.

Launched and collected apart: on CUDA the device computes one chunk while the next one's images
are decoded. Knows residents and pixels; nothing of lookups, decoding or HTTP.
Axis letters: B batch, H W pixels, K classes kept.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from adapters.codec import short
from adapters.errors import ArtifactCorrupt
from serving.backend import Backend
from serving.bank import AdapterKey
from serving.gather import gather_prompts
from serving.heads import Best, best_classes
from serving.protocol import Answer, LabelScore
from serving.recheck import settle
from serving.resident import Resident

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


@torch.inference_mode()
def launch(backend: Backend, rows: Sequence[Row]) -> Launched:
    """Start one forward.

    Args:
        backend: runs the trunk.
        rows: one at least, of one form, whose residents stay leased until they are collected.
    """
    residents = [row.resident for row in rows]
    form = residents[0].form
    try:
        prompts = gather_prompts(backend.backbone, form, residents, backend.key_alignment)
        pixels = torch.stack([row.pixels for row in rows])
        features = backend.features(form, pixels, prompts)
        features = settle(backend, residents, pixels, features)
        return Launched(rows, best_classes(features, residents, max(row.top_k for row in rows)))
    except Exception as error:  # one forward's failure stays with its rows
        return Launched(rows, error)


def collect(launched: Launched) -> dict[int, Outcome]:
    """Wait for a forward and return each row's outcome by its position."""
    if isinstance(launched.best, Exception):
        return {row.position: launched.best for row in launched.rows}
    scores, classes = (tensor.tolist() for tensor in launched.best)
    return {
        row.position: _outcome(row, *best)
        for row, *best in zip(launched.rows, scores, classes, strict=True)
    }


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
