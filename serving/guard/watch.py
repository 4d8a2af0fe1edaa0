"""Looks at a canary again and again, until it is ended, promoted, or somebody else has decided.

It acts on the version that it began with and on no other: the store refuses a change that expects
another canary. While the store or the services are away it goes on looking.
"""

import secrets
import time
from collections.abc import Callable, Iterator
from enum import Enum
from typing import Final, NamedTuple

from adapters.artifact.codec import short
from adapters.cache.cached_store import CachedStore
from adapters.errors import PublishConflict, SptError, VersionNotFound
from adapters.store.directory import Pointer
from adapters.store.log import Change, this_user
from adapters.store.record_changes import Role, version_with
from serving.guard.counts import Counts, Series, faults_of, rows_of
from serving.guard.rule import Rule, quantile_near, share


class End(Enum):
    """How a watch ends; its value is the exit code."""

    PASSED = 0
    ENDED = 3
    OTHER = 4


class Look(NamedTuple):
    """What one look has found.

    Attributes:
        line: for people.
        end: how the watch ends with it; None if it goes on.
        canary: rows, errors and the quantile of the latency in seconds, as known so far.
        current: the same of the current version.
        troubles: what could not be read, or done.
    """

    line: str
    end: End | None
    canary: "Seen"
    current: "Seen"
    troubles: tuple[str, ...] = ()


class Seen(NamedTuple):
    """What a version has done since the watch began."""

    version: str
    rows: int
    errors: int
    latency_s: float | None


_CANARY: Final[Role] = "canary"


class Terms(NamedTuple):
    """What is asked of a canary.

    Attributes:
        rule: what it may not exceed.
        for_s: how long it has to keep to the rule; None for as long as it is there.
        promotes: whether it becomes current after that.
    """

    rule: Rule
    for_s: float | None = None
    promotes: bool = False


class Watch:
    """One canary of one task.

    Args:
        store: where it was published.
        task: its id.
        counts: what services say of it.
        terms: what is asked of it.
        clock: seconds that only grow.

    Raises:
        VersionNotFound: the task has no canary.
        SptError: the store cannot be read.
    """

    def __init__(
        self,
        store: CachedStore,
        task: str,
        counts: Counts,
        terms: Terms,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store, self._task = store, task
        self._counts, self._clock = counts, clock
        self._rule, for_s, self._promotes = terms
        record = store.store.record(task)
        self.canary = version_with(task, record, _CANARY)
        self._current = record.version
        self._name = f"guard {short(self.canary)} {secrets.token_hex(4)}"
        self._who = f"spt guard, {this_user()}"
        self._until = None if for_s is None else clock() + for_s

    def looks(self, every_s: float, sleep: Callable[[float], object]) -> Iterator[Look]:
        """Yield looks until the last one, which has an end.

        Args:
            every_s: seconds from one to the next.
            sleep: waits.
        """
        while (look := self.look()).end is None:
            yield look
            sleep(every_s)
        yield look

    def look(self) -> Look:
        """Look once, and do what there is to do."""
        troubles = self._counts.look()
        try:
            pointer = self._store.store.current(self._task)
        except (SptError, OSError) as error:
            return self._found("going on", troubles=(*troubles, str(error)))
        if not self._is_canary(pointer):
            return self._found(_who_answers(pointer), End.OTHER, tuple(troubles))
        if pointer.version != self._current:
            self._current = pointer.version  # it has done nothing yet that counts
        breach = self._rule.breach(*self._series())
        try:
            return self._decided(breach, tuple(troubles))
        except (PublishConflict, VersionNotFound) as error:
            return self._found(f"somebody else has decided: {error}", End.OTHER, tuple(troubles))
        except (SptError, OSError) as error:  # it is tried again with the next look
            return self._found(breach or "kept to the rule", troubles=(*troubles, str(error)))

    def _decided(self, breach: str | None, troubles: tuple[str, ...]) -> Look:
        if breach is not None:
            why = f"guard: {breach}"
            change = Change(f"{self._name} end", self._who, why)
            self._store.end_canary(self._task, expected=self.canary, change=change)
            return self._found(f"ended: {breach}", End.ENDED, troubles)
        if self._until is None or self._clock() < self._until:
            return self._found("going on", troubles=troubles)
        if not self._promotes:
            return self._found("has kept to the rule", End.PASSED, troubles)
        canary, _ = self._series()
        if not self._rule.has_enough(canary):
            return self._found("too few rows to promote it", troubles=troubles)
        why = f"guard: {self._told(self._seen(self.canary, canary))}, kept to the rule"
        change = Change(f"{self._name} promote", self._who, why)
        self._store.promote(self._task, expected=self.canary, change=change)
        return self._found("promoted: it has kept to the rule", End.PASSED, troubles)

    def _is_canary(self, pointer: Pointer) -> bool:
        return pointer.canary is not None and pointer.canary.version == self.canary

    def _series(self) -> tuple[Series, Series]:
        of = self._counts.of
        return of(self.canary, "canary"), of(self._current, "current")

    def _found(self, what: str, end: End | None = None, troubles: tuple[str, ...] = ()) -> Look:
        canary, current = self._series()
        seen, other = self._seen(self.canary, canary), self._seen(self._current, current)
        told = f"canary {short(self.canary)}: {self._told(seen)}; current: {self._told(other)}"
        return Look(f"{self._task}: {told}; {what}", end, seen, other, troubles)

    def _told(self, seen: Seen) -> str:
        failed = share(seen.errors, seen.rows)
        told = f"{seen.rows:,} rows, {failed:.1%} errors"
        if seen.latency_s is None:
            return told
        return f"{told}, {self._rule.quantile:.0%} within {seen.latency_s:g} s"

    def _seen(self, version: str, series: Series) -> Seen:
        near = quantile_near(series, self._rule.quantile)
        return Seen(version, rows_of(series), faults_of(series), near)


def _who_answers(pointer: Pointer) -> str:
    canary = "no canary" if pointer.canary is None else f"canary {short(pointer.canary.version)}"
    return f"somebody else has decided: current {short(pointer.version)}, {canary}"
