"""What a service has and where it is, for those who run it: fills in a `Description`.

It names every task, so only those who manage the service may get it; who that is is not known here.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Final, NamedTuple

from adapters.cache.cached_store import CachedStore
from adapters.errors import SptError, StoreUnavailable
from adapters.store.directory import Pointer
from adapters.vit.backbone import Backbone
from serving.deadline import Deadline
from serving.inference.bank import AdapterBank, AdapterKey
from serving.inference.description import (
    BackboneDescription,
    BankDescription,
    Description,
    Place,
    RedisDescription,
    ShadowDescription,
    TaskDescription,
    VersionDescription,
)
from serving.inference.lookup import Lookup
from serving.shadow.shadows import Shadows
from serving.shadow.tally import ShadowCounts

MAX_TASKS: Final = 1000
"""How many tasks one description holds; the worker answers nobody while it makes it."""

PATIENCE_S: Final = 2.0
"""Longest time for the store to tell of all of them; what is not told by then is left out."""


class Parts(NamedTuple):
    """What a service is described by.

    Attributes:
        backbone: what it serves.
        source: where its tasks are looked up.
        bank: its adapters on the device.
        lookup: knows which versions are in trouble.
        shadows: know what came of copies.
    """

    backbone: Backbone
    source: CachedStore
    bank: AdapterBank
    lookup: Lookup
    shadows: Shadows


def describe(parts: Parts, tasks: Iterable[str] | None = None) -> Description:
    """Describe a service.

    Args:
        parts: of it.
        tasks: those to describe; None for all.
    """
    backbone, source, bank, *_ = parts
    trouble = None
    if tasks is None:
        try:
            tasks = source.tasks(PATIENCE_S)
        except SptError as error:
            tasks, trouble = {key.task for key in bank.keys}, str(error)
    names = sorted(set(tasks))
    sights = _look(names[:MAX_TASKS], source, bank)
    near: Place = "host" if backbone.device.type == "cpu" else "device"
    return Description(
        backbone=_backbone(backbone),
        bank=BankDescription(
            adapters=len(bank), bytes=bank.num_bytes, budget_bytes=bank.budget_bytes
        ),
        redis=_redis(source),
        follows_store=source.follows_store,
        tasks={name: _task(name, sight, near, parts) for name, sight in sights.items()},
        left_out=len(names[MAX_TASKS:]),
        trouble=trouble,
    )


@dataclass
class _Sight:
    """What was learned of one task: its versions by place, and what could not be learned."""

    resident: set[str]
    pinned: set[str]
    stored: set[str] = field(default_factory=set)
    cached: set[str] = field(default_factory=set)
    kept: set[str] = field(default_factory=set)
    pointer: Pointer | None = None
    trouble: str | None = None

    @property
    def versions(self) -> set[str]:
        """Return every version that is known of."""
        return self.resident | self.stored | (set(self.pointer.running) if self.pointer else set())


def _look(names: Iterable[str], source: CachedStore, bank: AdapterBank) -> dict[str, _Sight]:
    """Look at tasks everywhere; Redis is asked once for all."""
    resident, pinned = _by_task(bank.keys), _by_task(bank.pins)
    sights = {name: _Sight(resident[name], pinned[name]) for name in names}
    source.begin_to_look_up(sights)
    deadline = Deadline.after(PATIENCE_S)
    for name, sight in sights.items():
        try:
            sight.pointer = source.current(name, deadline.left_s)
            sight.stored, sight.kept = _held(source, name, deadline)
        except SptError as error:
            sight.trouble = str(error)
    if source.cache is not None:
        everything = {version for sight in sights.values() for version in sight.versions}
        cached = source.cache.holding(everything)
        for sight in sights.values():
            sight.cached = sight.versions & cached
    return sights


def _held(source: CachedStore, task: str, deadline: Deadline) -> tuple[set[str], set[str]]:
    """Return the versions that the store holds, and those that it never deletes."""
    if not deadline.left_s:
        raise StoreUnavailable("the store is too slow to tell of all tasks; ask for some by name")
    return source.ask_store(
        lambda store: (set(store.versions(task)), set(store.record(task).pinned))
    )


def _by_task(keys: Iterable[AdapterKey]) -> defaultdict[str, set[str]]:
    found: defaultdict[str, set[str]] = defaultdict(set)
    for task, version in keys:
        found[task].add(version)
    return found


def _task(name: str, sight: _Sight, near: Place, parts: Parts) -> TaskDescription:
    by_place: dict[Place, set[str]] = {
        near: sight.resident,
        "redis": sight.cached,
        "store": sight.stored,
    }
    versions = [
        VersionDescription(
            version=version,
            places=tuple(place for place, held in by_place.items() if version in held),
            never_evicted=version in sight.pinned,
            never_deleted=version in sight.kept,
            trouble=parts.lookup.trouble_with(AdapterKey(name, version)),
            shadow=_shadow(parts.shadows.tally.of(AdapterKey(name, version))),
        )
        for version in sorted(sight.versions)
    ]
    return TaskDescription(pointer=sight.pointer, trouble=sight.trouble, versions=tuple(versions))


def _shadow(counts: ShadowCounts | None) -> ShadowDescription | None:
    if counts is None:
        return None
    return ShadowDescription(
        rows=dict(counts.rows), errors=dict(counts.errors), seconds=counts.seconds
    )


def _backbone(backbone: Backbone) -> BackboneDescription:
    return BackboneDescription(
        name=backbone.spec.name,
        weights_sha256=backbone.spec.weights_sha256,
        device=str(backbone.device),
        dtype=str(backbone.dtype).removeprefix("torch."),
    )


def _redis(source: CachedStore) -> RedisDescription | None:
    if source.cache is None:
        return None
    return RedisDescription(
        is_up=source.cache.is_up,
        hears_publishes=source.hears_publishes,
        **asdict(source.cache.stats),
    )
