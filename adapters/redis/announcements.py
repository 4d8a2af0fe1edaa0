"""Announcements of moved pointers, as one connection to Redis hears them.

They are hints: one who is not connected misses them, so each carries the epoch that it made.
"""

import re
from collections.abc import Generator
from typing import Any, NamedTuple

from redis import ConnectionPool
from redis.exceptions import InvalidResponse

from adapters.artifact.task import is_task_id

_MESSAGE = re.compile(rb"([0-9]{1,18}) ([a-z0-9_-]{1,64})")


class Announcement(NamedTuple):
    """A task whose pointer moved, and the epoch since."""

    epoch: int
    task: str


def listen(
    pool: ConnectionPool, channel: str, moment_s: float
) -> Generator[Announcement | None, None, None]:
    """Yield None once subscribed, then what is announced, and None for each moment of silence.

    What is not an announcement counts as silence.

    Raises:
        RedisError: the connection is refused or lost; redis-py may raise anything else, too.
    """
    connection: Any = pool.get_connection()  # its annotations are partial
    try:
        connection.send_command("SUBSCRIBE", channel)
        answer = connection.read_response()
        if not isinstance(answer, list) or answer[:1] != [b"subscribe"]:
            raise InvalidResponse("it does not understand SUBSCRIBE")
        yield None
        while True:
            has_news = connection.can_read(timeout=moment_s)
            yield parse_message(connection.read_response()) if has_news else None
    finally:
        connection.disconnect()
        pool.release(connection)


def parse_message(message: object) -> Announcement | None:
    """Return what a message announces, None if it is not one of ours."""
    match message:
        case [b"message", _, bytes(data)] if found := _MESSAGE.fullmatch(data):
            task = found[2].decode("ascii")
            return Announcement(int(found[1]), task) if is_task_id(task) else None
    return None
