"""What rows of one image have in common: a feature, or the trunk's first blocks.

Rows whose prompts are equal, or that have none, need one feature. The trunk computes it once; each
row has its own head. Sixteen linear tasks of one image so cost one forward.

Rows whose prompts begin at a later block than the first one have the same tokens before it. Those
that share an image can be computed once up to there, and fork.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from serving.rows.row import Row

LEAST_SPARED: Final = 1 / 8
"""Of a forward that forks; for less, a compiled one that does not is as fast."""


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


class Fork(NamedTuple):
    """Rows of a forward, and the images that are computed in the blocks before the first prompts.

    Attributes:
        block: the first that any row has prompts in, at least 1.
        rows: one for each image.
        image_of: for each row of the forward, the place of its image.
    """

    block: int
    rows: list[Row]
    image_of: list[int]


def fork(rows: Sequence[Row]) -> Fork | None:
    """Return how rows of one form fork, each with its own feature; None if it spares too little."""
    place_of: dict[object, int] = {}
    image_of = [place_of.setdefault(_pixels(row), len(place_of)) for row in rows]
    block = min(row.resident.first_block for row in rows)
    if _spared_rows(rows, block, len(place_of)) < LEAST_SPARED * len(rows):
        return None
    return Fork(block, [rows[image_of.index(place)] for place in range(len(place_of))], image_of)


def forking_blocks(rows: Iterable[Row]) -> dict[Row, int]:
    """Return the rows that are worth a forward of their own which forks, and the block it does at.

    It spares one row at least.

    Args:
        rows: of any form.
    """
    of_image: dict[object, list[Row]] = defaultdict(list)
    for row in rows:
        of_image[row.resident.form, _pixels(row)].append(row)
    found: dict[Row, int] = {}
    for together in of_image.values():
        block, forking = _best_fork(together) if len(together) > 1 else (0, [])
        found |= dict.fromkeys(forking, block)
    return found


def _best_fork(rows: Sequence[Row]) -> tuple[int, list[Row]]:
    """Return the block at which rows of one image spare most, and which of them; none if little."""
    blocks = {row.resident.first_block for row in rows}
    from_block = {b: [row for row in rows if row.resident.first_block >= b] for b in blocks}
    spared = {b: _spared_rows([one for one, *_ in alike(from_block[b])], b) for b in blocks}
    best = max(blocks, key=lambda block: spared[block])
    is_enough = spared[best] >= max(1, LEAST_SPARED * len(alike(from_block[best])))
    return best, from_block[best] if is_enough else []


def _spared_rows(rows: Sequence[Row], block: int, images: int = 1) -> float:
    """Return how many rows' forwards are spared if the blocks before one are computed per image."""
    return (len(rows) - images) * block / rows[0].resident.meta.backbone.depth


def _pixels(row: Row) -> object:
    """Return what tells a row's pixels from another's."""
    return row.image, row.resident.meta.preprocessing


def _feature(row: Row) -> object:
    """Return what tells a row's feature from another's of the same form."""
    return _pixels(row), row.resident.prompts_digest
