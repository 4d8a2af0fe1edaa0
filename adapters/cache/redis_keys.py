"""Names in Redis: every key and channel carries the id of the store whose pointers it is about.

So two stores on one Redis never mix. The braces keep the keys of one script in one slot of a
cluster; channels are those of all databases of a Redis, so they carry the database, too.
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
    def epoch(self) -> str:
        """Counts the announcements; only an emptied or another Redis makes it smaller."""
        return f"spt:{{{self.store}}}:epoch"

    @property
    def channel(self) -> str:
        """Where moves of pointers are announced."""
        suffix = f":{self.database}" if self.database else ""
        return f"spt:{self.store}:published{suffix}"

    def pointer(self, task: str) -> str:
        """Return the key of a task's pointer."""
        return f"spt:{{{self.store}}}:pointer:{task}"

    def artifact(self, version: str) -> str:
        """Return the key of an artifact; without braces, for they may be in any slot."""
        return f"spt:{self.store}:artifact:{version}"
