"""Which version answers: tasks asked for → adapters by task and version.

Knows nothing of images or forwards.
"""

from collections.abc import Collection, Mapping
from typing import NamedTuple

from adapters.cached_store import CachedStore
from adapters.errors import AdapterError
from serving.bank import AdapterBank, AdapterKey


class Asked(NamedTuple):
    """A task, and the version of it that is wanted: hex digits, or None for the current one."""

    task: str
    version: str | None = None


class Lookup:
    """Fixes versions, and pins the current ones of pinned tasks.

    Args:
        source: where tasks' versions are looked up.
        bank: where versions are pinned.
        pinned: tasks whose current version is never evicted.
    """

    def __init__(self, source: CachedStore, bank: AdapterBank, pinned: Collection[str]) -> None:
        self._source = source
        self._bank = bank
        self.pinned = frozenset(pinned)

    def keys_of(self, asked: Mapping[int, Asked]) -> dict[int, AdapterKey | Exception]:
        """Return each one's version or error; those of one batch that ask the same get the same."""
        found = {one: self._key_or_error(one) for one in set(asked.values())}
        return {i: found[one] for i, one in asked.items()}

    def key_of(self, asked: Asked) -> AdapterKey:
        """Return which adapter is meant.

        Raises:
            AdapterError: there is no such task or version, or it cannot be learned.
        """
        if asked.version is not None:
            return AdapterKey(asked.task, self._source.resolve_version(asked.task, asked.version))
        key = AdapterKey(asked.task, self._source.current(asked.task).version)
        if asked.task in self.pinned:
            self._bank.pin(key)
        return key

    def _key_or_error(self, asked: Asked) -> AdapterKey | AdapterError:
        try:
            return self.key_of(asked)
        except AdapterError as error:
            return error
