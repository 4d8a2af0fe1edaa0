"""One row: a query on its way from lookup to answer, carrying all that is known of it so far.

Knows nothing of how a version is chosen, an adapter loaded, an image decoded or a forward run.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from adapters.images.crop import Picture
from serving.decoding.decoder import Decoding
from serving.rows.query import Outcome, Query, Role
from serving.rows.resident import AdapterKey, Resident

PENDING: Final = RuntimeError("the engine left a row without an outcome")
"""The outcome of a row that is still on its way; should one ever be forgotten, it is an error."""


@dataclass(eq=False, repr=False, slots=True)
class Row:
    """One query on its way; each step adds what the next one needs, or ends the row.

    A row belongs to the engine's thread; the threads that decode its image know nothing of it.

    Attributes:
        query: what is asked.
        digest: of its image, where a canary may answer; empty if another process has the image
            and has not told it.
        outcome: the answer or what went wrong; `PENDING` until then.
        begin_s: when it came, in seconds of `time.monotonic`.
        role: of the version that is to answer; None where its task has no canary, or it stands in.
        key: the version that is to answer, chosen by the lookup.
        resident: that version on the device, there as long as it is leased.
        image: which image of its batch it has; those who share one have the same number.
        decoding: of its image, under the rules of all the rows that share it.
        picture: the image as this adapter's preprocessing asks for it.
    """

    query: Query
    digest: bytes | None = None
    outcome: Outcome = PENDING
    begin_s: float = field(default_factory=time.monotonic)
    role: Role | None = None
    key: AdapterKey = field(init=False)
    resident: Resident = field(init=False)
    image: int = field(init=False)
    decoding: Decoding = field(init=False)
    picture: Picture = field(init=False)

    @property
    def is_pending(self) -> bool:
        """Whether it has no outcome yet."""
        return self.outcome is PENDING

    @property
    def needs_numbers(self) -> bool:
        """Whether its answer depends on its feature or all its logits; once it has a resident."""
        return self.query.extras.has_numbers or self.resident.meta.needs_logits

    def hand_over(self) -> Outcome:
        """Return the outcome, and let go of it."""
        # an error's traceback holds the rows it was met with; a row that held the error as well
        # would close a circle, and keep its tensors until the garbage collector comes by
        outcome, self.outcome = self.outcome, PENDING
        return outcome


def pending(rows: Iterable[Row]) -> list[Row]:
    """Return the rows that have no outcome yet, in their order."""
    return [row for row in rows if row.is_pending]
