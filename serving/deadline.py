"""Until when the rows of one batch wait: one moment, handed to every wait, so that it ends."""

import time
from typing import NamedTuple


class Deadline(NamedTuple):
    """A moment of `time.monotonic`."""

    at: float

    @classmethod
    def after(cls, patience_s: float) -> "Deadline":
        """Return the moment that is `patience_s` seconds off."""
        return cls(time.monotonic() + patience_s)

    @property
    def left_s(self) -> float:
        """Seconds until then; 0 when it has come."""
        return max(0.0, self.at - time.monotonic())

    def at_least(self, seconds: float) -> "Deadline":
        """Return the moment, or a later one that is `seconds` off."""
        return max(self, Deadline.after(seconds))
