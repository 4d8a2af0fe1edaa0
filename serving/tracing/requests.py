"""How a request begins and ends in a front: as a span, where somebody traces this process.

Nothing of OpenTelemetry is known here. Where nobody traces, a request costs one look.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Final, NamedTuple

from serving.tracing.origin import Origin


class Begun(NamedTuple):
    """A request that has begun.

    Attributes:
        origin: who asks; its parent is the request's span, where there is one.
        answered: takes the status of HTTP.
    """

    origin: Origin
    answered: Callable[[int], object]


Begin = Callable[[str, Origin], AbstractContextManager[Begun]]
"""Begins a request by its name, such as `POST /spt/predict`; it ends with the block."""


class Requests:
    """The requests of one process."""

    def __init__(self) -> None:
        self._begin: Begin | None = None

    def trace(self, begin: Begin | None) -> None:
        """Have them begun so from now on; None for nobody who traces."""
        self._begin = begin

    @contextmanager
    def begun(self, name: str | None, origin: Origin) -> Iterator[Begun]:
        """Yield a request that has begun; it ends with the block.

        Args:
            name: None for one that nobody is to trace.
            origin: who asks.
        """
        if self._begin is None or name is None:
            yield Begun(origin, _tell_nobody)
            return
        with self._begin(name, origin) as begun:
            yield begun


REQUESTS: Final = Requests()
"""Of this process."""


def _tell_nobody(_: int) -> None:
    pass
