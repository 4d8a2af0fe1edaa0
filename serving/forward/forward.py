"""Rows of one form → crops on the device → features → best classes → answers.

Launched and collected apart: on CUDA the device computes one chunk while the next one's images
are decoded. Knows rows that have residents and pictures; nothing of lookups, decoding or HTTP.

A forward in int8 or FP8 moves every feature a little. A row's best class can change only if its
feature lies that near to the boundary between two classes. So only the rows near one are computed
again, by a forward of their own: the device need not be idle until the host knows which they are.
Axis letters: B batch, F features, D width, H W pixels.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from adapters.artifact.preprocessing import Preprocessing
from adapters.vit.pixels import normalise_batch
from adapters.vit.staging import stage
from serving.forward.answers import answer_of
from serving.forward.ended import ended
from serving.forward.heads import best_classes, margins, own_logits
from serving.forward.prompts import gather_deep, gather_prompts
from serving.forward.sharing import Fork, Shared, share
from serving.forward.sharing import fork as find_fork
from serving.observing.observers import OBSERVERS
from serving.rows.row import Row
from serving.trunk.backend import Backend, Forks, Step
from serving.trunk.lost_device import named
from serving.trunk.out_of_memory import MakeRoom, retry_in_room
from serving.trunk.transfer import Fetched, ahead, send


@dataclass(frozen=True, eq=False)
class Launched:
    """A forward that the device may still be computing.

    Attributes:
        rows: whose forward it is.
        best: their scores, classes and margins; None if it failed, which ended its rows.
        doubt: the margin below which a row is computed again; 0 if none is.
        again: starts the forward of such rows.
        begin_s: when it began, in seconds of `time.monotonic`.
    """

    rows: Sequence[Row]
    best: Fetched | None
    doubt: float
    again: "Callable[[Sequence[Row]], Launched]"
    begin_s: float

    def wait(self) -> None:
        """Wait until the device is done with it, whatever came of it; `collect` tells."""
        if self.best is not None:
            with suppress(Exception):
                self.best.wait()


def launch(backend: Backend, rows: Sequence[Row], make_room: MakeRoom = lambda _: 0) -> Launched:
    """Start one forward.

    Args:
        backend: runs the trunk.
        rows: one at least, of one form, whose residents stay leased until they are collected.
        make_room: called if the device's memory runs out, before another attempt.
    """
    best, begin_s = None, time.monotonic()
    try:
        best = retry_in_room(lambda: _best(backend, rows), make_room)
    except Exception as error:  # one forward's failure stays with its rows
        _fail(rows, error)
    doubt = backend.doubt(rows[0].resident.form)
    again = partial(launch, backend.exact, make_room=make_room)
    return Launched(rows, best, doubt, again, begin_s)


def collect(launched: Launched) -> Launched | None:
    """Wait for a forward, and give its rows their outcomes.

    Returns:
        The exact forward of rows in doubt, which are still without outcomes; None if all have one.
    """
    doubtful = _end(launched)
    OBSERVERS.phase("forward", launched.begin_s, (row.query for row in launched.rows))
    OBSERVERS.served(ended(launched.rows))
    return launched.again(doubtful) if doubtful else None


def _end(launched: Launched) -> list[Row]:
    """Give rows their outcomes; return those that are in doubt, and have none."""
    if launched.best is None:
        return []
    try:
        scores, classes, found, *numbers = launched.best.wait()
        read = zip(scores.tolist(), classes.tolist(), found.tolist(), strict=True)
    except Exception as error:  # the device shows some only to those who wait for it
        _fail(launched.rows, error)
        return []
    doubtful = []
    for place, (row, (own_scores, own_classes, margin)) in enumerate(
        zip(launched.rows, read, strict=True)
    ):
        if launched.doubt and _is_doubtful(row, margin, launched.doubt):
            doubtful.append(row)
        else:
            own_numbers = [of_all[place] for of_all in numbers]
            row.outcome = answer_of(row, own_scores, own_classes, own_numbers)
    return doubtful


def _is_doubtful(row: Row, margin: float, doubt: float) -> bool:
    """Whether a row is computed again; numbers are always those of the exact trunk."""
    return row.needs_numbers or not margin >= doubt  # what is no number is a doubt


def _fail(rows: Sequence[Row], error: Exception) -> None:
    found = named(error)
    for row in rows:
        row.outcome = found


@torch.inference_mode()
def _best(backend: Backend, rows: Sequence[Row]) -> Fetched:
    """Return scores, classes and margins, on their way; margins are zeros where none are asked.

    Features and logits come after them, where a row needs either.
    """
    residents, shared = [row.resident for row in rows], share(rows)
    top_k = max(row.query.top_k for row in rows)
    step = _computed(backend, shared.rows)
    need_numbers = any(row.needs_numbers for row in rows)
    if isinstance(step, Step) and not need_numbers and _is_enough(step, len(rows), top_k):
        return Fetched((step.scores, step.classes, step.margins))
    features = _of_rows(step.features if isinstance(step, Step) else step, shared)
    scores, classes = best_classes(features, residents, top_k)
    asked = bool(backend.doubt(residents[0].form))
    far = margins(features, residents) if asked else torch.zeros_like(scores[:, 0])
    numbers = (features.float(), own_logits(features, residents)) if need_numbers else ()
    return Fetched((scores, classes, far, *numbers))


def _is_enough(step: Step, rows: int, top_k: int) -> bool:
    return step.features.shape[0] == rows and top_k <= step.scores.shape[1]


def _computed(backend: Backend, rows: Sequence[Row]) -> Step | Float[Tensor, "F D"]:
    """Return a whole step of these rows where there is one, else their features."""
    fork = None if backend.forks is None else find_fork(rows)
    if backend.forks is not None and fork is not None:
        return _forked(backend, backend.forks, rows, fork)
    residents, form = [row.resident for row in rows], rows[0].resident.form
    crops, rules = _crops(backend, rows)
    if backend.steps is not None and backend.steps.take(form, len(rows)):
        return backend.steps.run(form, crops, rules, [own.addresses for own in residents])
    prompts = gather_prompts(backend.backbone, form, residents, backend.key_alignment)
    return backend.features(form, normalise_batch(crops, rules), prompts)


def _forked(
    backend: Backend, forks: Forks, rows: Sequence[Row], fork: Fork
) -> Float[Tensor, "F D"]:
    residents = [row.resident for row in rows]
    prompts = gather_deep(backend.backbone, residents, backend.key_alignment, fork.block)
    image_of = send(torch.tensor(fork.image_of), backend.backbone.device)
    pixels = normalise_batch(*_crops(backend, fork.rows))
    return forks.features(residents[0].form, pixels, image_of, prompts)


def _crops(
    backend: Backend, rows: Sequence[Row]
) -> tuple[UInt8[Tensor, "F H W 3"], list[Preprocessing]]:
    """Return the rows' crops on the device, and their rules."""
    device, rules = backend.backbone.device, [row.resident.meta.preprocessing for row in rows]
    return ahead(lambda: stage([row.picture for row in rows], rules, device), device), rules


def _of_rows(features: Float[Tensor, "F D"], shared: Shared) -> Float[Tensor, "B D"]:
    """Return each row's feature."""
    if len(shared.rows) == len(shared.feature_of):
        return features
    return features[send(torch.tensor(shared.feature_of), features.device)]
