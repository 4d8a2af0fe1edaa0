"""Which tasks may be asked, and what one of them is: for callers; operators have `describe`.

A page costs the pointers of its own tasks, which this process mostly knows; never an artifact. The
names of all tasks are read once, and kept up by the store's feed.
"""

import time
from bisect import bisect_right
from collections.abc import Callable, Iterator
from itertools import islice
from math import isfinite
from threading import Lock
from typing import Final, NamedTuple

from adapters.artifact.backbone_spec import BackboneSpec
from adapters.artifact.meta import AdapterMeta
from adapters.artifact.samples import samples_fault
from adapters.artifact.task import matching
from adapters.cache.cached_store import CachedStore
from adapters.errors import ArtifactCorrupt, ArtifactMismatch, StoreUnavailable, TaskNotFound
from adapters.store.directory import Pointer, Store
from adapters.store.feed import Feed
from serving.deadline import Deadline
from serving.protocol import MAX_LOGITS_BYTES, CanaryInfo, Sample, TaskInfo, TaskPage
from serving.rows.listing import Listing

PATIENCE_S: Final = 2.0
"""Longest wait for the store; TorchServe's worker answers nobody else meanwhile."""

FOLLOWED_S: Final = 300.0
"""For how long names are kept where the feed tells of new ones; it tells of none that went."""

UNFOLLOWED_S: Final = 2.0
"""The same where nothing tells of them."""

_LAST_VERSIONS: Final = 20
_MOST_METRICS: Final = 50
_MOST_CARD_BYTES: Final = 64_000
"""Our trainer leaves cards of more than 16 kB out of artifacts."""


class _Names(NamedTuple):
    """All tasks, sorted; `number` is the feed's last move when they were read, None without one."""

    names: list[str]
    number: int | None
    good_until: float


class TaskLists:
    """Lists the tasks of a store; safe for many threads.

    Args:
        source: where tasks are looked up.
        spec: of the backbone that is served.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        source: CachedStore,
        spec: BackboneSpec,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._source = source
        self._spec = spec
        self._clock = clock
        self._names: _Names | None = None
        self._lock = Lock()

    def tell(self, listing: Listing) -> TaskPage:
        """Return a page of tasks, or one task with its classes.

        Raises:
            TaskNotFound: the one task is not published.
            StoreUnavailable, ArtifactCorrupt: the store does not tell.
        """
        deadline = Deadline.after(PATIENCE_S)
        if listing.task is not None:
            return TaskPage(tasks=(self._whole(listing.task, listing, deadline),))
        found = list(islice(self._chosen(listing), listing.limit + 1))
        page = found[: listing.limit]
        self._source.begin_to_look_up(page)
        tasks = [info for name in page if (info := self._brief(name, deadline)) is not None]
        return TaskPage(tasks=tuple(tasks), next=page[-1] if len(found) > len(page) else None)

    def _chosen(self, listing: Listing) -> Iterator[str]:
        names, patterns = self._known(), listing.patterns
        following = islice(names, bisect_right(names, listing.after), None)
        return following if patterns is None else matching(following, patterns)

    def _brief(self, task: str, deadline: Deadline) -> TaskInfo | None:
        """Return a task and its versions that answer; None for one that cannot be asked."""
        try:
            return _info(task, self._source.current(task, deadline.left_s))
        except (TaskNotFound, ArtifactCorrupt):
            return None

    def _whole(self, task: str, listing: Listing, deadline: Deadline) -> TaskInfo:
        pointer = self._source.current(task, deadline.left_s)

        def look(store: Store) -> tuple[AdapterMeta, list[str], set[str]]:
            meta, _ = store.describe(task, pointer.version)
            return meta, store.record(task).latest(_LAST_VERSIONS), set(store.versions(task))

        meta, latest, held = self._source.ask_store(look)
        names = meta.task.class_names
        fits = sum(len(name.encode()) for name in names) <= MAX_LOGITS_BYTES
        return _info(task, pointer).model_copy(
            update={
                "class_names": names if fits else None,
                "num_classes": len(names),
                "method": meta.method,
                "target": meta.target_kind,
                "versions": tuple(version for version in latest if version in held),
                "metrics": _metrics(meta),
                "samples": _samples(meta) if listing.samples else None,
                "card": _card(meta) if listing.card else None,
                "trouble": _trouble(meta, self._spec),
            }
        )

    def _known(self) -> list[str]:
        """Return the names of all tasks, and of folders that may become some."""
        with self._lock:
            known, feed = self._names, self._source.feed()
            if known is not None and (kept := _kept(known, feed, self._clock())) is not None:
                self._names = kept
                return kept.names
            number = None if feed is None else feed.number
            try:
                names = self._source.ask_store(lambda store: store.folders())
            except StoreUnavailable:
                if known is None:
                    raise
                return known.names
            lifetime_s = UNFOLLOWED_S if number is None else FOLLOWED_S
            self._names = _Names(names, number, self._clock() + lifetime_s)
            return names


def _kept(known: _Names, feed: Feed | None, now: float) -> _Names | None:
    """Return names with those that have come since; None where they must be read anew."""
    if now >= known.good_until:
        return None
    if known.number is None:
        return known
    moves = None if feed is None else feed.after(known.number)
    if feed is None or moves is None:
        return None
    new = {move.task for move in moves}.difference(known.names) if moves else set()
    names = sorted([*known.names, *new]) if new else known.names
    return known._replace(names=names, number=feed.number)


def _info(task: str, pointer: Pointer) -> TaskInfo:
    canary = pointer.canary
    told = None if canary is None else CanaryInfo(version=canary.version, share=canary.share)
    return TaskInfo(task=task, version=pointer.version, canary=told)


def _metrics(meta: AdapterMeta) -> dict[str, float] | None:
    numbers = ((name, one) for name, one in meta.metrics.items() if isfinite(one))
    return dict(islice(numbers, _MOST_METRICS)) or None


def _samples(meta: AdapterMeta) -> tuple[Sample, ...]:
    """Return the sample images; none of a version that no service of today would take."""
    if samples_fault(meta.samples):
        return ()
    return tuple(Sample(label=one.label, jpeg=one.jpeg) for one in meta.samples)


def _card(meta: AdapterMeta) -> str | None:
    card = meta.card
    return card if card is not None and len(card.encode()) <= _MOST_CARD_BYTES else None


def _trouble(meta: AdapterMeta, spec: BackboneSpec) -> str | None:
    try:
        meta.check_fits(spec)
    except ArtifactMismatch as error:
        return str(error)
    return None
