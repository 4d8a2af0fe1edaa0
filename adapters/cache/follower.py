"""A thread that looks at a store's feed, and says which pointers are out of date.

One look tells of all tasks, however many there are. Knows nothing of Redis, nor of where the feed
lies.
"""

import logging
import threading
import time
from collections.abc import Callable

from adapters.cache.jitter import jittered
from adapters.cache.pointer_memory import PointerMemory
from adapters.cache.store_calls import StoreCalls
from adapters.errors import ArtifactCorrupt
from adapters.store.feed import Feed

LOOK_EVERY_S = 0.5
"""How often the feed is read, or up to a fifth sooner."""

TRUST_S = 5.0
"""For how long after a look what it told is relied on: a store that is slow is followed still."""

_CLOSE_S = 0.5
_log = logging.getLogger(__name__)


class Follower:
    """Keeps a memory of pointers up with the store, while it can.

    Args:
        read: returns the feed, None where there is none.
        memory: is told what moved; forgets that it is followed where nobody tells it for `TRUST_S`.
        calls: of those who look tasks up; they know of a store that does not answer what this one
            has found out, and so wait for nothing that they can do without.
        clock: seconds that only grow.

    Attributes:
        feed: as it was last read; None while what moves is not known.
    """

    def __init__(
        self,
        read: Callable[[], Feed | None],
        memory: PointerMemory,
        calls: StoreCalls,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read = read
        self._memory = memory
        self._clock = clock
        self.feed: Feed | None = None
        # threads of its own: a queue of look-ups must not keep it from seeing what moved
        self._calls = StoreCalls(clock, calls)
        self._trouble_level = logging.NOTSET
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="follow-store", daemon=True)

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def close(self) -> None:
        """End; waits for the thread for a moment, but not for a store that hangs."""
        self._closing.set()
        self._thread.join(_CLOSE_S)
        self._calls.close()

    def look(self) -> None:
        """Read the feed once, and say what moved since the last time."""
        began = self._clock()
        try:
            feed = self._calls.ask(self._read)
        except ArtifactCorrupt as error:
            self._lose_track(logging.ERROR, str(error))
            return
        except Exception as error:  # what was known until now is relied on for `TRUST_S`
            self._note(logging.WARNING, f"{type(error).__name__}: {error}")
            return
        if self._closing.is_set():  # the store hung, and another one may follow it by now
            return
        if feed is None:
            self._lose_track(logging.INFO, "the store has no feed until its next change")
            return
        self._keep_up(feed, began + TRUST_S)
        self._note_followed()

    def _keep_up(self, feed: Feed, until: float) -> None:
        moves = None if self.feed is None else feed.after(self.feed.number)
        if moves is None:
            self._memory.begin_anew()
        self._memory.follow([move.task for move in moves or ()], feed.sequences, until)
        self.feed = feed

    def _lose_track(self, level: int, trouble: str) -> None:
        if self.feed is not None:
            self._memory.begin_anew()
        self.feed = None
        self._note(level, trouble)

    def _note(self, level: int, trouble: str) -> None:
        """Log that the store is not followed; once, unless it becomes worse."""
        if level > self._trouble_level:
            _log.log(level, "every task is looked up twice a second: %s", trouble)
            self._trouble_level = level

    def _note_followed(self) -> None:
        """Log that it is followed again, once."""
        if self._trouble_level:
            level = min(self._trouble_level, logging.WARNING)
            _log.log(level, "the store's feed tells which tasks move; they alone are looked up")
        self._trouble_level = logging.NOTSET

    def _run(self) -> None:
        while not self._closing.is_set():
            self.look()
            self._closing.wait(jittered(LOOK_EVERY_S, high=1.0))
