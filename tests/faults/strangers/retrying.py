"""Publishers who do not hear of their success and ask again: each a process of its own."""

import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal, NamedTuple

from adapters.background import give_way
from adapters.cache.cached_store import CachedStore
from adapters.cache.publishing import open_store
from adapters.errors import SptError
from adapters.store.log import Change
from adapters.store.record import Pointer

What = Literal["publish", "canary", "promote", "end canary", "rollback"]
Told = int | str
"""The sequence of the pointer that a change made, or an error."""

_SHARE: Final = 0.5


class Asked(NamedTuple):
    """One change that is asked for.

    Attributes:
        what: is done.
        task: to what.
        data: the artifact of a publish or a canary.
        change: its id, and the sequence that is expected.
    """

    what: What
    task: str
    data: bytes
    change: Change


def ask_twice(
    folder: Path, redis_url: str, asked: Sequence[Asked], rate_per_s: float
) -> list[list[Told]]:
    """Ask for changes at a constant rate, and for each once more after the next one.

    Args:
        folder: of the store.
        redis_url: where changes are announced.
        asked: in this order.
        rate_per_s: changes, evenly spaced.

    Returns:
        What was told of each change, both times.
    """
    logging.disable()
    give_way()  # as every command does that publishes
    source, began = open_store(folder, redis_url), time.perf_counter()
    told: list[list[Told]] = [[] for _ in asked]
    for i in range(len(asked) + 1):
        time.sleep(max(0.0, began + i / rate_per_s - time.perf_counter()))
        for j in (i, i - 1):
            if 0 <= j < len(asked):
                told[j].append(_ask(source, asked[j]))
    source.close()
    return told


def _ask(source: CachedStore, asked: Asked) -> Told:
    try:
        return _made(source, asked).sequence
    except SptError as error:
        return f"{type(error).__name__}: {error}"


def _made(source: CachedStore, asked: Asked) -> Pointer:
    task, change = asked.task, asked.change
    match asked.what:
        case "publish":
            return source.publish(asked.data, change=change)
        case "canary":
            return source.publish(asked.data, canary=_SHARE, change=change)
        case "promote":
            return source.promote(task, change=change)
        case "end canary":
            return source.end_canary(task, change=change)
        case "rollback":
            return source.rollback(task, change=change)
