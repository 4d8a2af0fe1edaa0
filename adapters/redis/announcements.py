"""Announcements of moved pointers, as one connection to Redis hears them: each names a task.

They are hints: one who is not connected misses them, and finds the moves in the store's feed.
"""

from collections.abc import Generator
from typing import Any

from redis import ConnectionPool
from redis.exceptions import InvalidResponse

from adapters.artifact.task import is_task_id

_MOST_BYTES = 64


def listen(
    pool: ConnectionPool, channel: str, moment_s: float
) -> Generator[str | None, None, None]:
    """Yield None once subscribed, then each task that moved, and None for a moment of silence.

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


def parse_message(message: object) -> str | None:
    """Return the task that a message announces, None if it is not one of ours."""
    match message:
        case [b"message", _, bytes(data)] if len(data) <= _MOST_BYTES:
            task = data.decode("ascii", "replace")
            return task if is_task_id(task) else None
    return None
