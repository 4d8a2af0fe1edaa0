"""Which version answers: tasks asked for → adapters by task and version.

Knows nothing of forwards, and of images only that they have bytes.
"""

from collections.abc import Collection, Mapping
from hashlib import blake2b
from typing import Final, NamedTuple

from adapters.cache.cached_store import CachedStore
from adapters.errors import SptError
from adapters.store.directory import Pointer
from serving.inference.bank import AdapterBank, AdapterKey
from serving.inference.fallback import Fallback

_DRAW_BYTES: Final = 6


class Asked(NamedTuple):
    """A task, the version of it that is wanted, and the image that is asked about.

    Attributes:
        task: its id.
        version: hex digits, or None for whichever the task's pointer chooses.
        image: encoded; the same one always meets the same version.
    """

    task: str
    version: str | None = None
    image: bytes = b""


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
        self.fallback = Fallback(source, bank)

    def keys_of(self, asked: Mapping[int, Asked]) -> dict[int, AdapterKey | Exception]:
        """Return each one's version or error; each distinct task is looked up once."""
        draws = _Draws()
        wanted = {(one.task, one.version) for one in asked.values()}
        found = {one: self._find(*one) for one in wanted}
        return {i: self._key(one, found[one.task, one.version], draws) for i, one in asked.items()}

    def _find(self, task: str, version: str | None) -> Pointer | AdapterKey | SptError:
        """Return the version that was named, or else the pointer that will choose one."""
        try:
            if version is None:
                return self._source.current(task)
            return AdapterKey(task, self._source.resolve_version(task, version))
        except SptError as error:
            return error

    def _key(
        self, one: Asked, found: Pointer | AdapterKey | SptError, draws: "_Draws"
    ) -> AdapterKey | Exception:
        if not isinstance(found, Pointer):
            return found
        chosen = found.version if found.canary is None else found.chosen(draws.of(one.image))
        key = AdapterKey(one.task, chosen)
        if chosen == found.version and key in self._bank:
            self.fallback.note_served(key)
        answering = self.fallback.substitute_for(key)
        if chosen == found.version and isinstance(answering, AdapterKey):
            self._pin(answering)
        return answering

    def _pin(self, current: AdapterKey) -> None:
        if current.task in self.pinned:
            self._bank.pin(current)


class _Draws:
    """A number for each image of a batch, computed once, and only if somebody asks for it."""

    def __init__(self) -> None:
        self._known: dict[int, float] = {}

    def of(self, image: bytes) -> float:
        """Return a number in [0, 1) that depends on the image's bytes alone."""
        if id(image) not in self._known:
            digest = blake2b(image, digest_size=_DRAW_BYTES).digest()
            self._known[id(image)] = int.from_bytes(digest) / 256**_DRAW_BYTES
        return self._known[id(image)]
