"""The store in a bucket: a change that somebody was faster than is made again, from what is there.

Nobody holds a lock. A record is put only if it still is the one that was read. So a change that was
made meanwhile is never lost, and a writer that dies leaves the old state or the new one.
"""

import random
import time
from collections.abc import Callable
from datetime import datetime
from functools import partial, wraps
from typing import Any, Final, ParamSpec, TypeVar

from adapters.errors import StoreUnavailable
from adapters.store.directory import Store, now_utc
from adapters.store.objects.files import ObjectFiles
from adapters.store.objects.seam import Changed

PATIENCE_S: Final = 60.0
"""How long a change is made again and again while others are faster."""

_FIRST_PAUSE_S: Final = 0.005
_LONGEST_PAUSE_S: Final = 0.5

_T = TypeVar("_T")
_P = ParamSpec("_P")


def _attempted(method: Callable[_P, _T]) -> Callable[_P, _T]:
    """Return a change of a store that is made again if somebody else was faster."""

    @wraps(method)
    def attempted(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        store: Any = args[0]
        change: Callable[[], _T] = partial(method, *args, **kwargs)
        found: _T = store.attempt(change)
        return found

    return attempted


class ObjectStore(Store):
    """A store in a bucket; the bucket has to be there, the prefix comes with the first publish.

    Args:
        files: where it keeps what.
        now: the time of the day, in UTC.
    """

    def __init__(self, files: ObjectFiles, now: Callable[[], datetime] = now_utc) -> None:
        super().__init__(files, now)

    def attempt(self, change: Callable[[], _T]) -> _T:
        """Make a change, again while others are faster.

        Raises:
            StoreUnavailable: they are for `PATIENCE_S`.
        """
        give_up_at, pause_s = time.monotonic() + PATIENCE_S, _FIRST_PAUSE_S
        while True:
            try:
                return change()
            except Changed as error:
                if time.monotonic() > give_up_at:
                    raise StoreUnavailable(
                        f"store {self.name}: {error} was changed by others, or is being deleted, "
                        f"for {PATIENCE_S:.0f} s; try again"
                    ) from error
                time.sleep(random.uniform(0, pause_s))
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    publish = _attempted(Store.publish)
    promote = _attempted(Store.promote)
    rollback = _attempted(Store.rollback)
    end_canary = _attempted(Store.end_canary)
    end_shadow = _attempted(Store.end_shadow)
    pin = _attempted(Store.pin)
    unpin = _attempted(Store.unpin)
    remove = _attempted(Store.remove)
    add_signatures = _attempted(Store.add_signatures)
