"""A watch ends its canary on a breach, promotes it after a while, and touches no other version."""

from collections import Counter
from pathlib import Path

import pytest

from adapters.artifact.codec import short, version_of
from adapters.cache.cached_store import CachedStore
from adapters.errors import StoreUnavailable, VersionNotFound
from adapters.store.directory import DirectoryStore
from adapters.store.log import this_user
from adapters.store.record import Pointer
from serving.guard.counts import Counts
from serving.guard.rule import Rule
from serving.guard.watch import End, Terms, Watch
from serving.metrics.table import OK
from tests.fakes.artifacts import make_artifact

FIRST, SECOND, THIRD = (make_artifact(seed=seed) for seed in range(3))
A, B, C = (version_of(data) for data in (FIRST, SECOND, THIRD))
RULE = Rule(min_rows=100)


class Told(Counts):
    """Counts that a test tells."""

    def __init__(self) -> None:
        super().__init__("pets", [])
        self.told: dict[tuple[str, str], Counter[str | float]] = {}
        self.troubles: list[str] = []

    def look(self) -> list[str]:
        return self.troubles

    def of(self, version, role):
        return self.told.get((version, role), Counter())


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def store(tmp_path: Path) -> CachedStore:
    store = CachedStore(DirectoryStore(tmp_path / "store"))
    store.publish(FIRST)
    store.publish(SECOND, canary=0.1)
    return store


@pytest.fixture
def counts() -> Told:
    return Told()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def watch(store: CachedStore, counts: Told, clock: Clock) -> Watch:
    return Watch(store, "pets", counts, Terms(RULE, 600.0, promotes=True), clock)


def good(counts: Told, rows: int = 300) -> None:
    counts.told = {(A, "current"): Counter({OK: 10 * rows}), (B, "canary"): Counter({OK: rows})}


def bad(counts: Told) -> None:
    good(counts)
    counts.told[B, "canary"] = Counter({OK: 391, "internal": 21})


def test_a_breach_ends_the_canary_and_the_log_says_why(
    store: CachedStore, watch: Watch, counts: Told
) -> None:
    good(counts)
    assert watch.look().end is None
    bad(counts)
    look = watch.look()
    assert look.end is End.ENDED
    assert look.line == (
        f"pets: canary {short(B)}: 412 rows, 5.1% errors; current: 3,000 rows, 0.0% errors; "
        "ended: 5.1% errors of 412 rows, limit 2%"
    )
    assert store.store.current("pets") == Pointer(version=A, sequence=3)
    last = store.store.log("pets")[-1]
    assert (last.what, last.subject, last.by) == ("end canary", B, f"spt guard, {this_user()}")
    assert last.why == "guard: 5.1% errors of 412 rows, limit 2%"


def test_a_canary_that_kept_to_the_rule_long_enough_is_promoted(
    store: CachedStore, watch: Watch, counts: Told, clock: Clock
) -> None:
    good(counts, 50)
    clock.now += 599
    assert watch.look().end is None
    clock.now += 2
    look = watch.look()
    assert (look.end, "too few rows" in look.line) == (None, True)
    good(counts)
    assert watch.look().end is End.PASSED
    assert store.store.current("pets") == Pointer(version=B, sequence=3)
    assert store.store.log("pets")[-1].why == ("guard: 300 rows, 0.0% errors, kept to the rule")


def test_without_promotion_the_time_passes_and_nothing_changes(
    store: CachedStore, counts: Told, clock: Clock
) -> None:
    before = store.store.current("pets")
    watch = Watch(store, "pets", counts, Terms(RULE, 600.0), clock)
    clock.now += 600
    assert watch.look().end is End.PASSED
    assert store.store.current("pets") == before


def test_looks_go_on_until_there_is_an_end(watch: Watch, counts: Told) -> None:
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            bad(counts)

    assert [look.end for look in watch.looks(5.0, sleep)] == [None, None, None, End.ENDED]
    assert slept == [5.0] * 3


def test_only_the_canary_that_it_began_with_is_ended(
    store: CachedStore, watch: Watch, counts: Told
) -> None:
    bad(counts)
    store.publish(THIRD, canary=0.5)
    before = store.store.current("pets")
    look = watch.look()
    assert look.end is End.OTHER
    assert f"current {short(A)}, canary {short(C)}" in look.line
    assert store.store.current("pets") == before


@pytest.mark.parametrize("how", ["ended", "promoted"])
def test_where_somebody_else_has_decided_it_stops(
    store: CachedStore, watch: Watch, counts: Told, how: str
) -> None:
    bad(counts)
    store.end_canary("pets") if how == "ended" else store.promote("pets")
    before = store.store.current("pets")
    assert watch.look().end is End.OTHER
    assert store.store.current("pets") == before


def test_a_change_between_the_look_and_the_act_is_not_overridden(
    store: CachedStore, watch: Watch, counts: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad(counts)
    seen = store.store.current("pets")
    store.publish(THIRD, canary=0.5)
    monkeypatch.setattr(store.store, "current", lambda _: seen)
    assert watch.look().end is End.OTHER
    monkeypatch.undo()
    assert store.store.current("pets").canary.version == C


def test_while_the_store_is_away_it_goes_on_and_then_acts(
    store: CachedStore, watch: Watch, counts: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad(counts)

    def away(*_: object, **__: object) -> None:
        raise StoreUnavailable("the disk is gone")

    for name in ("current", "end_canary"):
        monkeypatch.setattr(store.store, name, away)
        look = watch.look()
        assert (look.end, look.troubles) == (None, ("the disk is gone",))
        monkeypatch.undo()
    assert watch.look().end is End.ENDED


def test_services_that_cannot_be_read_are_told_of(watch: Watch, counts: Told) -> None:
    counts.troubles = ["http://one: nothing there"]
    look = watch.look()
    assert (look.end, look.troubles) == (None, ("http://one: nothing there",))


def test_another_current_version_is_compared_by_what_it_does_itself(
    store: CachedStore, watch: Watch, counts: Told
) -> None:
    good(counts)
    counts.told[A, "current"] = Counter({OK: 100, "internal": 100})
    counts.told[B, "canary"] = Counter({OK: 391, "internal": 21})
    assert watch.look().end is None
    store.publish(THIRD)
    look = watch.look()
    assert (look.current.version, look.current.rows) == (C, 0)
    assert look.end is End.ENDED


def test_without_a_canary_there_is_nothing_to_watch(store: CachedStore, counts: Told) -> None:
    store.end_canary("pets")
    with pytest.raises(VersionNotFound, match="expected a canary"):
        Watch(store, "pets", counts, Terms(RULE))


def test_a_guard_that_ended_it_before_does_not_keep_another_from_ending_it_again(
    store: CachedStore, watch: Watch, counts: Told
) -> None:
    bad(counts)
    second = Watch(store, "pets", counts, Terms(RULE))
    assert watch.look().end is End.ENDED
    store.publish(SECOND, canary=0.1)
    assert second.look().end is End.ENDED
    assert store.store.current("pets").canary is None
