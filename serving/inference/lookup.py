"""Which version answers a row: the one it names, or its task's current one, or the canary.

A version that cannot be loaded is replaced here, too. Knows nothing of forwards, and of images
only that they have bytes.
"""

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from adapters.cache.cached_store import CachedStore
from adapters.errors import SptError, StoreUnavailable
from adapters.store.directory import Pointer
from serving.config import DECODE_THREADS
from serving.deadline import Deadline
from serving.inference.bank import AdapterBank
from serving.inference.fallback import Fallback
from serving.observing.observer import Served, Span
from serving.observing.observers import OBSERVERS
from serving.rows.draws import DigestWanted, digest_of, draw
from serving.rows.query import Role
from serving.rows.resident import AdapterKey
from serving.rows.row import PENDING, Row, pending

_SURE_DIGITS: Final = 12


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
        self._pinned = frozenset(pinned)
        self._fallback = Fallback(source, bank)
        self._hashing = ThreadPoolExecutor(DECODE_THREADS, "hash")

    def known_first(self, rows: Sequence[Row]) -> list[list[Row]]:
        """Begin to look up what is not known; return rows that need none of it, then others.

        Args:
            rows: of one batch.
        """
        asked = dict.fromkeys((row.query.task, row.query.version) for row in rows)
        unknown = self._source.begin_to_look_up(task for task, version in asked if version is None)
        later = {one for one in asked if self._must_wait(*one, unknown)}
        groups: tuple[list[Row], list[Row]] = ([], [])
        for row in rows:
            groups[(row.query.task, row.query.version) in later].append(row)
        return [group for group in groups if group]

    def choose(self, rows: Sequence[Row], deadline: Deadline) -> list[Row]:
        """Give each row its key, or the error it ends with; return those that have a key.

        Each task is looked up once.

        Args:
            rows: of one batch.
            deadline: until when what is not known is waited for, of all rows together.
        """
        asked = dict.fromkeys((row.query.task, row.query.version) for row in rows)
        self._source.begin_to_look_up(task for task, version in asked if version is None)
        known = {(task, version): self._find(task, version, deadline) for task, version in asked}
        drawing = (
            row for row in rows if isinstance(known[row.query.task, row.query.version], Pointer)
        )
        self._read(drawing)
        for row in rows:
            query = row.query
            found = known[query.task, query.version]
            if isinstance(found, Pointer):
                found = self._drawn(row, found)
            if isinstance(found, AdapterKey):
                row.key = found
            else:
                row.outcome = found
        return pending(rows)

    def choose_again(
        self, rows: Iterable[Row], failed: Mapping[AdapterKey, Exception], deadline: Deadline
    ) -> list[Row]:
        """Give another key to rows whose own failed and which named no version; return those.

        Args:
            rows: that have keys.
            failed: all that could not be loaded for this batch, and why; tried by none of it again.
            deadline: of the batch.
        """
        free = [row for row in rows if row.key in failed and row.query.version is None]
        others = self._fallback.instead_of({row.key: failed[row.key] for row in free}, deadline)
        for row in free:
            other = others.get(row.key)
            if other is not None and other not in failed:
                row.key, row.outcome, row.role = other, PENDING, None
        return pending(free)

    @property
    def stand_ins(self) -> int:
        """Versions that should answer now, and that another one answers for."""
        return self._fallback.stand_ins

    def trouble_with(self, key: AdapterKey) -> str | None:
        """Return why a version does not answer, None if nothing is known against it."""
        return self._fallback.reason(key)

    def close(self) -> None:
        """Let the threads go."""
        self._fallback.close()
        self._hashing.shutdown()

    def _read(self, rows: Iterable[Row]) -> None:
        """Read the images of rows that have no digest yet, side by side, each image once."""
        unread = [row for row in rows if row.digest is None]
        distinct = {id(row.query.image): row.query.image for row in unread}
        digests = dict(zip(distinct, self._hashing.map(digest_of, distinct.values()), strict=True))
        for row in unread:
            row.digest = digests[id(row.query.image)]

    def _drawn(self, row: Row, pointer: Pointer) -> AdapterKey | Exception:
        """Return what answers a row whose image decides."""
        if not row.digest:
            return DigestWanted(row.query.task)
        task = row.query.task
        chosen = pointer.chosen(draw(row.digest, _salt(task, pointer)))
        answering = self._answering(task, pointer, chosen)
        if answering != AdapterKey(task, chosen):
            self._tell_bad(row, pointer, AdapterKey(task, chosen))
        if isinstance(answering, AdapterKey):
            row.role = _role(answering.version, pointer)
        return answering

    def _tell_bad(self, row: Row, pointer: Pointer, key: AdapterKey) -> None:
        """Tell of a version that is not even tried with a row, which another one answers."""
        role, error = _role(key.version, pointer), self._fallback.error_of(key)
        if role is not None and error is not None:
            span = Span(row.begin_s, time.monotonic())
            OBSERVERS.served([Served(row.query, key.version, role, error, span)])

    def _must_wait(self, task: str, version: str | None, unknown: Collection[str]) -> bool:
        """Return whether what a row asks waits for the store."""
        if version is None:
            return task in unknown
        return _only(self._bank.versions_of(task), version) is None

    def _find(
        self, task: str, version: str | None, deadline: Deadline
    ) -> Pointer | AdapterKey | Exception:
        """Return what answers every row that asks so, or a pointer where its image decides."""
        try:
            if version is not None:
                return AdapterKey(task, self._resolve(task, version, deadline))
            pointer = self._source.current(task, deadline.left_s)
        except SptError as error:
            return error
        if pointer.canary is not None:
            return pointer
        return self._answering(task, pointer, pointer.version)

    def _resolve(self, task: str, text: str, deadline: Deadline) -> str:
        """Return the version that `text` stands for; one that is here needs no store that answers.

        Fewer digits than `_SURE_DIGITS` may begin another version, too, so the store is asked.
        """
        near = self._bank.versions_of(task)
        is_sure = len(text) >= _SURE_DIGITS
        if is_sure and (found := _only(near, text)) and self._source.still_holds(task, found):
            return found
        try:
            return self._source.resolve_version(task, text, deadline.left_s)
        except StoreUnavailable:
            near |= self._answering_now(task, deadline)
            if found := _only(near, text):
                return found
            if near:
                raise StoreUnavailable(
                    f"{task}: the store does not answer, and version {text} is not on the device"
                ) from None
            raise

    def _answering_now(self, task: str, deadline: Deadline) -> frozenset[str]:
        try:
            return self._source.current(task, deadline.left_s).answering
        except SptError:
            return frozenset()

    def _answering(self, task: str, pointer: Pointer, chosen: str) -> AdapterKey | Exception:
        """Return what answers where `chosen` should; note and pin it if it is the current one."""
        key = AdapterKey(task, chosen)
        is_current = chosen == pointer.version
        if is_current and key in self._bank:
            self._fallback.note_served(key)
        answering = self._fallback.substitute_for(key)
        if is_current and isinstance(answering, AdapterKey) and task in self._pinned:
            self._bank.pin(answering)
        return answering


def _only(versions: Iterable[str], text: str) -> str | None:
    """Return the version that begins so, if one does and no other."""
    found = [version for version in versions if version.startswith(text.lower())]
    return found[0] if len(found) == 1 else None


def _role(version: str, pointer: Pointer) -> Role | None:
    if version == pointer.version:
        return "current"
    is_canary = pointer.canary is not None and version == pointer.canary.version
    return "canary" if is_canary else None


def _salt(task: str, pointer: Pointer) -> str:
    """Return what makes draws differ from canary to canary, so that no image is every canary's."""
    return f"{task} {pointer.canary.version if pointer.canary else ''}"
