"""How many bytes of decoded pixels all threads together may hold: a semaphore that counts bytes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Condition
from typing import Final

from serving.errors import DecodingTooSlow

Reserve = Callable[[int], None]

LARGE: Final = 1 / 4
"""Part of the budget from which on a loan's memory is given back to the system after it."""


class ByteBudget:
    """Bytes that are lent and returned; safe for many threads.

    Small loans pass larger ones that wait.

    Args:
        total: lent at the same time; what is larger alone is lent while nothing else is.
        give_back: called after each loan that was a large part, or the threads' free memory adds
            up: none takes what another one has freed.
    """

    def __init__(self, total: int, give_back: Callable[[], object] = lambda: None) -> None:
        self._total = total
        self._give_back = give_back
        self._lent = 0
        self._changed = Condition()

    @property
    def lent(self) -> int:
        """Bytes that are lent now."""
        return self._lent

    @contextmanager
    def loan(self, patience_s: float) -> Iterator[Reserve]:
        """Give the block a function that borrows once, for as long as the block lasts.

        That raises DecodingTooSlow if the bytes are not free within `patience_s` seconds.
        """
        mine = 0

        def reserve(num_bytes: int) -> None:
            nonlocal mine
            if not mine:
                mine = self._take(min(num_bytes, self._total), patience_s)

        try:
            yield reserve
        finally:
            if mine:
                self._return(mine)

    def _take(self, num_bytes: int, patience_s: float) -> int:
        with self._changed:
            if not self._changed.wait_for(
                lambda: self._lent + num_bytes <= self._total, patience_s
            ):
                raise DecodingTooSlow(
                    f"no memory for the image's pixels was free within {patience_s:g} s; ask "
                    "again, or send a smaller one"
                )
            self._lent += num_bytes
        return num_bytes

    def _return(self, num_bytes: int) -> None:
        if num_bytes >= LARGE * self._total:
            self._give_back()
        with self._changed:
            self._lent -= num_bytes
            self._changed.notify_all()
