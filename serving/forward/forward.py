"""Rows of one form → pixels on the device → features → best classes → answers.

Launched and collected apart: on CUDA the device computes one chunk while the next one's images
are decoded. Knows rows that have residents and pictures; nothing of lookups, decoding or HTTP.

A forward in int8 moves every feature a little. A row's best class can change only if its feature
lies that near to the boundary between two classes, so only the rows near one are computed again,
in float32.
Axis letters: B batch, F features, D width, H W pixels, K classes kept.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from adapters.artifact.codec import short
from adapters.errors import ArtifactCorrupt
from adapters.vit.staging import stage
from serving.forward.heads import best_classes, in_doubt
from serving.forward.prompts import gather_deep, gather_prompts
from serving.forward.sharing import Fork, Shared, share
from serving.forward.sharing import fork as find_fork
from serving.protocol import Answer, LabelScore
from serving.rows.query import Outcome
from serving.rows.resident import Resident
from serving.rows.row import Row
from serving.trunk.backend import Backend, Forks
from serving.trunk.lost_device import named
from serving.trunk.out_of_memory import MakeRoom, retry_in_room
from serving.trunk.transfer import Fetched, send


@dataclass(frozen=True, eq=False)
class Launched:
    """A forward that the device may still be computing; None if it failed, which ended its rows."""

    rows: Sequence[Row]
    best: Fetched | None


def launch(backend: Backend, rows: Sequence[Row], make_room: MakeRoom = lambda _: 0) -> Launched:
    """Start one forward.

    Args:
        backend: runs the trunk.
        rows: one at least, of one form, whose residents stay leased until they are collected.
        make_room: called if the device's memory runs out, before another attempt.
    """
    try:
        return Launched(rows, retry_in_room(lambda: _best(backend, rows), make_room))
    except Exception as error:  # one forward's failure stays with its rows
        _fail(rows, error)
    return Launched(rows, None)


def collect(launched: Launched) -> None:
    """Wait for a forward and give each of its rows its outcome."""
    rows, best = launched.rows, launched.best
    if best is None:
        return
    try:
        scores, classes = (found.tolist() for found in best.wait())
    except Exception as error:  # the device shows some only to those who wait for it
        _fail(rows, error)
        return
    for row, own_scores, own_classes in zip(rows, scores, classes, strict=True):
        row.outcome = _outcome(row, own_scores, own_classes)


def _fail(rows: Sequence[Row], error: Exception) -> None:
    found = named(error)
    for row in rows:
        row.outcome = found


@torch.inference_mode()
def _best(backend: Backend, rows: Sequence[Row]) -> Fetched:
    residents, shared = [row.resident for row in rows], share(rows)
    form, top_k = residents[0].form, max(row.query.top_k for row in rows)
    fork = None if backend.forks is None else find_fork(shared.rows)
    if backend.forks is not None and fork is not None:
        features = _forked(backend, backend.forks, shared.rows, fork)
        return Fetched(best_classes(_of_rows(features, shared), residents, top_k))
    pixels, steps = _pixels(backend, shared.rows), backend.steps
    if steps is not None and steps.take(form, len(shared.rows)):
        step = steps.run(form, pixels, [row.resident.addresses for row in shared.rows])
        if len(shared.rows) == len(rows) and top_k <= step.scores.shape[1]:
            return Fetched((step.scores, step.classes))
        features = step.features
    else:
        features = _features(backend, [row.resident for row in shared.rows], pixels)
        features = _recompute_uncertain(backend, residents, shared, pixels, features)
    return Fetched(best_classes(_of_rows(features, shared), residents, top_k))


def _pixels(backend: Backend, rows: Sequence[Row]) -> Float[Tensor, "B 3 H W"]:
    rules = [row.resident.meta.preprocessing for row in rows]
    return stage([row.picture for row in rows], rules, backend.backbone.device)


def _forked(
    backend: Backend, forks: Forks, rows: Sequence[Row], fork: Fork
) -> Float[Tensor, "B D"]:
    residents, device = [row.resident for row in rows], backend.backbone.device
    prompts = gather_deep(backend.backbone, residents, backend.key_alignment, fork.block)
    image_of = send(torch.tensor(fork.image_of), device)
    return forks.features(residents[0].form, _pixels(backend, fork.rows), image_of, prompts)


def _features(
    backend: Backend, residents: Sequence[Resident], pixels: Float[Tensor, "B 3 H W"]
) -> Float[Tensor, "B D"]:
    form = residents[0].form
    prompts = gather_prompts(backend.backbone, form, residents, backend.key_alignment)
    return backend.features(form, pixels, prompts)


def _of_rows(features: Float[Tensor, "F D"], shared: Shared) -> Float[Tensor, "B D"]:
    """Return each row's feature."""
    if len(shared.rows) == len(shared.feature_of):
        return features
    return features[send(torch.tensor(shared.feature_of), features.device)]


def _recompute_uncertain(
    backend: Backend,
    residents: Sequence[Resident],
    shared: Shared,
    pixels: Float[Tensor, "F 3 H W"],
    features: Float[Tensor, "F D"],
) -> Float[Tensor, "F D"]:
    """Return the features, those that leave any of their rows in doubt computed exactly."""
    below = backend.doubt(residents[0].form)
    if not below:
        return features
    doubtful = in_doubt(_of_rows(features, shared), residents, below).nonzero()[:, 0].tolist()
    if not doubtful:
        return features
    places = sorted({shared.feature_of[row] for row in doubtful})
    chosen = [shared.rows[place].resident for place in places]
    index = send(torch.tensor(places), features.device)
    again = _features(backend.exact, chosen, pixels[index])
    return features.index_copy(0, index, again.to(features.dtype))


def _outcome(row: Row, scores: list[float], classes: list[int]) -> Outcome:
    names = row.resident.meta.task.class_names
    count = min(row.query.top_k, len(names))
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
