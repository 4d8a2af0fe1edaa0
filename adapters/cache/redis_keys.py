"""Names in Redis: every key and channel carries the id of the store that it is about.

So two stores on one Redis never mix. Channels are those of all databases of a Redis, so they carry
the database, too.
"""

from typing import NamedTuple


class RedisKeys(NamedTuple):
    """The names for one store.

    Attributes:
        store: its id, 32 hex digits.
        database: the number of the database where the keys are.
    """

    store: str
    database: int = 0

    @property
    def channel(self) -> str:
        """Where moves of pointers are announced."""
        suffix = f":{self.database}" if self.database else ""
        return f"spt:{self.store}:published{suffix}"

    def pointer(self, task: str) -> str:
        """Return the key of a task's pointer."""
        return f"spt:{self.store}:pointer:{task}"

    def artifact(self, version: str) -> str:
        """Return the key of an artifact."""
        return f"spt:{self.store}:artifact:{version}"
