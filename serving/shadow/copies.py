"""Which answered rows a shadow gets a copy of, and what such a copy holds.

The draw reads the crop, and not the encoded image: the process that owns the device has no other.
Knows nothing of forwards.
"""

import math
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Final

from adapters.artifact.preprocessing import Preprocessing
from adapters.images.crop import Picture
from serving.protocol import Answer
from serving.rows.draws import digest_of, draw
from serving.rows.resident import AdapterKey
from serving.rows.row import Row

_EVERY: Final = 16
"""Of so many lines of a picture one decides the draw, which so costs microseconds."""

_SAME_NUMBER: Final = 0.01


@dataclass(frozen=True, eq=False, slots=True)
class Copy:
    """A row that was answered, as the shadow needs it.

    Attributes:
        key: of the shadow.
        answer: that the row got.
        picture: the row's, in memory of its own.
        rule: by which the picture was made.
        adapter_bytes: of the version that answered; the shadow's is likely as large.
    """

    key: AdapterKey
    answer: Answer
    picture: Picture
    rule: Preprocessing
    adapter_bytes: int


def shadow_of(row: Row) -> AdapterKey | None:
    """Return the shadow that a row is drawn for; None where it has no answer, or is not drawn.

    The same picture is always drawn, or never. Rows that name a version are not their task's, and
    what the shadow has answered itself, because it stands in, is nothing to compare it with.
    """
    shadow = row.shadow
    if shadow is None or not isinstance(row.outcome, Answer) or row.key.version == shadow.version:
        return None
    key = AdapterKey(row.key.task, shadow.version)
    if shadow.share < 1:
        digest = digest_of(row.picture.pixels[::_EVERY].tobytes())
        if draw(digest, f"{key.task} {key.version}") >= shadow.share:
            return None
    return key


def copy_of(row: Row, key: AdapterKey) -> Copy:
    """Return a copy of an answered row, whose picture may be overwritten from now on."""
    assert isinstance(row.outcome, Answer)
    picture = row.picture._replace(pixels=row.picture.pixels.copy())
    resident = row.resident
    return Copy(key, row.outcome, picture, resident.meta.preprocessing, resident.num_bytes)


def agree(one: Answer, other: Answer) -> bool:
    """Return whether two answers say the same: the best class, or all labels of a multi-label task.

    Numbers are the same within a percent. Both have to call the image unknown, or neither.
    """
    if one.predictions or other.predictions or one.value is None or other.value is None:
        return _said(one) == _said(other)
    return math.isclose(one.value, other.value, rel_tol=_SAME_NUMBER)


def _said(answer: Answer) -> Hashable:
    best = answer.predictions[0].label if answer.predictions else None
    labels = best if answer.labels is None else frozenset(answer.labels)
    return labels, bool(answer.unknown)
