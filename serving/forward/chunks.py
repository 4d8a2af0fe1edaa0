"""Which rows of a batch share a forward: those of one form and of lengths that go together."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import chain
from statistics import median
from typing import Final

from serving.forward.sharing import alike, forking_blocks
from serving.rows.row import Row
from serving.trunk.backend import Form

SHORT: Final = 64.0
"""Prompts per block that lengthen no forward by much, whatever its other rows have."""


def chunks(rows: Iterable[Row], most: int, *, apart: bool, forks: bool = False) -> list[list[Row]]:
    """Split rows that have residents into forwards.

    Rows that ask where the model looks have forwards without the others, which then wait for no
    attention, and do not fail where there is no memory for it.

    Args:
        rows: of one batch.
        most: features of one forward.
        apart: whether rows with far more prompts than the others get forwards without them; all
            rows of a forward are filled up to its longest one.
        forks: whether rows that share an image's first blocks get forwards without the others.
    """
    of_form: dict[tuple[Form, bool, int, bool], list[Row]] = defaultdict(list)
    all_rows = list(rows)
    fork_of = forking_blocks(all_rows) if forks else {}
    longest_usual = _longest_usual(all_rows) if apart and all_rows else None
    for row in all_rows:
        is_long = longest_usual is not None and row.resident.num_prompts > longest_usual
        is_looking = row.query.extras.attention_bytes > 0
        of_form[row.resident.form, is_long, fork_of.get(row, 0), is_looking].append(row)
    return [chunk for same in of_form.values() for chunk in _split(same, most)]


def _split(rows: Sequence[Row], most: int) -> list[list[Row]]:
    """Split rows of one form; those that share a feature stay together, and count once."""
    groups = alike(rows)
    parts = [groups[start : start + most] for start in range(0, len(groups), most)]
    return [list(chain.from_iterable(part)) for part in parts]


def _longest_usual(rows: Sequence[Row]) -> float:
    return max(SHORT, 2.0 * median(row.resident.num_prompts for row in rows))
