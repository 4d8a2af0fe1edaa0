"""A developer whose store is on production's Redis, with tasks of the same names; a process."""

import logging
import time
from collections.abc import Sequence
from pathlib import Path

from adapters.background import give_way
from adapters.cache.publishing import open_store


def develop(
    folder: Path, redis_url: str, artifacts: Sequence[bytes], rate_per_s: float, seconds: float
) -> int:
    """Publish artifacts in turn at a constant rate; return how many times.

    Args:
        folder: of the developer's store.
        redis_url: of production's Redis.
        artifacts: two versions of a task at least, so that each publish is news.
        rate_per_s: publishes, evenly spaced.
        seconds: how long.
    """
    logging.disable()
    give_way()  # as every command does that publishes
    source, began = open_store(folder, redis_url), time.perf_counter()
    for i in range(round(rate_per_s * seconds)):
        time.sleep(max(0.0, began + i / rate_per_s - time.perf_counter()))
        source.publish(artifacts[i % len(artifacts)])
    source.close()
    return round(rate_per_s * seconds)
