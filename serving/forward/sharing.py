"""Rows of one image that need one feature: their prompts are equal, or they have none.

The trunk computes such a feature once; each row has its own head. Sixteen linear tasks of one image
so cost one forward.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from serving.rows.row import Row


class Shared(NamedTuple):
    """Rows of a forward, and the features that they need.

    Attributes:
        rows: one for each feature.
        feature_of: for each row of the forward, the place of its feature.
    """

    rows: list[Row]
    feature_of: list[int]


def share(rows: Sequence[Row]) -> Shared:
    """Return which rows of one form the trunk computes, and whose feature each row reads."""
    groups = alike(rows)
    place_of = {row: place for place, group in enumerate(groups) for row in group}
    return Shared([group[0] for group in groups], [place_of[row] for row in rows])


def alike(rows: Iterable[Row]) -> list[list[Row]]:
    """Return rows of one form in groups that share a feature, in the order of their first rows."""
    groups: dict[object, list[Row]] = defaultdict(list)
    for row in rows:
        groups[_feature(row)].append(row)
    return list(groups.values())


def _feature(row: Row) -> object:
    """Return what tells a row's feature from another's of the same form."""
    return row.image, row.resident.meta.preprocessing, row.resident.prompts_digest
