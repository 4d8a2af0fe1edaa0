"""What a contract decides of a call: how it is read, and how it is answered."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

from serving.door.admission import Admitted
from serving.door.fields import Pairs
from serving.door.replies import Reply
from serving.rows.query import Outcome, Query

Header = Callable[[str], str | None]
"""Looks a header up by its name; None where it is not there."""


class Turn(Protocol):
    """One call."""

    @property
    def is_image(self) -> bool:
        """Whether the body is the image, so that all else is known before it comes."""

    def head(self, query: Pairs) -> Pairs:
        """Return what is said before the body, by the names of `/spt/predict`.

        Args:
            query: the parameters of the request's line.

        Raises:
            BadParameter: it has one that this contract does not know, or names no task.
        """

    def cost(self, body: bytes) -> int:
        """Return the bytes that reading a body takes beside it; for one that is no image.

        Raises:
            BadParameter: it is not packed as it is said to be.
            ImageTooLarge: unpacked it is too long.
        """

    def fields(self, body: bytes) -> Pairs:
        """Return what a body says, and its images; for one that is no image.

        Raises:
            BadParameter: it is not what it is said to be.
        """

    def queries(self, row: Admitted | Exception, images: Sequence[bytes]) -> list[Query]:
        """Return what is asked of the engine."""

    def reply(self, row: Admitted | Exception, outcomes: Iterator[Outcome]) -> Reply:
        """Return the reply, by the outcomes of those queries."""

    def refusal(self, error: Exception) -> Reply:
        """Return the reply to a call that met an error."""


Dialect = Callable[[Mapping[str, str], Header], Turn]
"""Begins a turn, by the parts of the path that have names, and the headers."""
