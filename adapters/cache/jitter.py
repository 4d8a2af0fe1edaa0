"""Times that differ a little, so that processes which began together do not go on together."""

import random

# not the one that all share: who seeds that one wants its numbers, whatever our threads do
_random = random.Random()


def jittered(seconds: float, low: float = 0.8, high: float = 1.2) -> float:
    """Return a time between `low` and `high` times as long, each as likely."""
    return seconds * _random.uniform(low, high)
