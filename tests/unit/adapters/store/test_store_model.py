"""The store against a model that fits into a few lists and sets."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from adapters.artifact.codec import version_of
from adapters.errors import (
    ArtifactCorrupt,
    PublishConflict,
    SptError,
    TaskNotFound,
    VersionNotFound,
)
from adapters.store.audit import audit
from adapters.store.directory import DirectoryStore, Expecting
from adapters.store.garbage import collect_garbage
from adapters.store.record import Canary, Pointer, Shadow
from tests.fakes.artifacts import make_artifact

ARTIFACTS = {version_of(data): data for data in (make_artifact(seed=seed) for seed in range(5))}
versions = st.sampled_from(sorted(ARTIFACTS))
shares = st.sampled_from([0.1, 0.5])
expectations = st.sampled_from([*[Expecting.ANYTHING] * 8, "current", None, *sorted(ARTIFACTS)])
HOUR = timedelta(hours=1)


class Model:
    """What is published under one task, and when its versions stopped answering."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.now = now
        self.began = now()
        self.sequence = 0
        self.history: list[str] = []
        self.canary: Canary | None = None
        self.shadow: Shadow | None = None
        self.pinned: set[str] = set()
        self.whole: set[str] = set()
        self.damaged: set[str] = set()
        self.stopped: dict[str, datetime] = {}

    @property
    def current(self) -> str | None:
        return self.history[-1] if self.history else None

    @property
    def pointer(self) -> Pointer:
        assert self.current is not None
        return Pointer(
            version=self.current, sequence=self.sequence, canary=self.canary, shadow=self.shadow
        )

    @property
    def held(self) -> set[str]:
        return self.whole | self.damaged

    @property
    def answering(self) -> set[str]:
        return {*self.history[-1:], *([self.canary.version] if self.canary else [])}

    @property
    def running(self) -> set[str]:
        return {*self.answering, *([self.shadow.version] if self.shadow else [])}

    @property
    def named(self) -> set[str]:
        return {*self.history, *self.running, *self.pinned}

    def publish(self, version: str, expected: object, share: float | None) -> Pointer:
        canary = None if share is None else Canary(version=version, share=share)
        already = self.current == version if canary is None else self.canary == canary
        if not (self.history and already):
            self.check_expected(expected, self.current)
            if canary is None:
                self.make_current(version)
            elif self.current is None:
                raise TaskNotFound
            elif self.current == version:
                raise PublishConflict
            else:
                with self.moving():
                    self.canary = canary
        self.damaged.discard(version)
        self.whole.add(version)
        return self.pointer

    def publish_shadow(self, version: str, expected: object, share: float) -> Pointer:
        shadow = Shadow(version=version, share=share)
        if not (self.history and self.shadow == shadow):
            self.check_expected(expected, self.current)
            if self.current is None:
                raise TaskNotFound
            if version in self.answering:
                raise PublishConflict
            with self.moving():
                self.shadow = shadow
        self.damaged.discard(version)
        self.whole.add(version)
        return self.pointer

    def promote(self, version: str | None, expected: object) -> Pointer:
        self.check_published()
        if version is not None:
            self.check_held(version)
        promoted = version or (self.canary.version if self.canary else None)
        if promoted is None:
            raise VersionNotFound
        if promoted != self.current:
            self.check_expected(expected, promoted if version is None else self.current)
            self.check_whole(promoted)
            self.make_current(promoted)
        return self.pointer

    def rollback(self, expected: object) -> Pointer:
        self.check_published()
        self.check_expected(expected, self.current)
        if len(self.history) == 1:
            raise VersionNotFound
        self.check_whole(self.history[-2])
        with self.moving():
            self.history.pop()
            self.end_canary_if_current()
        return self.pointer

    def end_canary(self, expected: object) -> Pointer:
        self.check_published()
        if self.canary is None:
            raise VersionNotFound
        self.check_expected(expected, self.canary.version)
        with self.moving():
            self.canary = None
        return self.pointer

    def end_shadow(self, expected: object) -> Pointer:
        self.check_published()
        if self.shadow is None:
            raise VersionNotFound
        self.check_expected(expected, self.shadow.version)
        with self.moving():
            self.shadow = None
        return self.pointer

    def pin(self, version: str, *, is_on: bool) -> str:
        self.check_published()
        if is_on:
            self.check_held(version)
            self.pinned.add(version)
        elif version not in self.held | self.named:
            raise VersionNotFound
        else:
            self.pinned.discard(version)
        return version

    def remove(self, version: str) -> str:
        self.check_published()
        if version not in self.held | self.named:
            raise VersionNotFound
        if version in self.running | self.pinned:
            raise PublishConflict
        self.forget(version)
        return version

    def collect(self, keep: int, age: timedelta, *, dry_run: bool) -> set[str]:
        if not self.history:
            return set()
        kept = {*list(dict.fromkeys(reversed(self.history)))[:keep], *self.running, *self.pinned}
        old = {one for one in self.held - kept if self.now() - self.idle_since(one) >= age}
        for version in () if dry_run else old:
            self.forget(version)
        return old

    def idle_since(self, version: str) -> datetime:
        return self.stopped.get(version, self.began)

    def forget(self, version: str) -> None:
        left = [one for one in self.history if one != version]
        self.history = [one for one, _ in groupby(left)]
        self.stopped.pop(version, None)
        self.whole.discard(version)
        self.damaged.discard(version)

    def make_current(self, version: str) -> None:
        with self.moving():
            self.history.append(version)
            self.end_canary_if_current()

    def end_canary_if_current(self) -> None:
        if self.canary is not None and self.canary.version == self.current:
            self.canary = None

    @contextmanager
    def moving(self) -> Iterator[None]:
        before = self.running
        yield
        self.sequence += 1
        if self.shadow is not None and self.shadow.version in self.answering:
            self.shadow = None
        for version in before - self.running:
            self.stopped[version] = self.now()
        for version in self.running:
            self.stopped.pop(version, None)

    def check_published(self) -> None:
        if not self.history:
            raise TaskNotFound

    def check_expected(self, expected: object, found: str | None) -> None:
        if expected not in (Expecting.ANYTHING, found):
            raise PublishConflict

    def check_held(self, version: str) -> None:
        if version not in self.held:
            raise VersionNotFound

    def check_whole(self, version: str) -> None:
        self.check_held(version)
        if version in self.damaged:
            raise ArtifactCorrupt


class StoreMachine(RuleBasedStateMachine):
    """Does the same to a store and to its model, and compares what both say."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.time = datetime.now(UTC)
        self.store = DirectoryStore(self.folder / "store", now=lambda: self.time)
        self.model = Model(lambda: self.time)
        self.other = self.store.publish(make_artifact("dogs"))
        # what is durable is the crash tests' matter; here the disk would only take time
        self.no_sync = patch.object(os, "fsync", lambda _: None)
        self.no_sync.start()

    def teardown(self) -> None:
        self.no_sync.stop()
        shutil.rmtree(self.folder)

    def same(self, really: Callable[[], object], by_model: Callable[[], object]) -> None:
        """Do both an hour later: they return the same or raise errors of the same class."""
        self.time += HOUR
        outcomes: list[object] = []
        for call in (really, by_model):
            try:
                outcomes.append(call())
            except SptError as error:
                outcomes.append(type(error))
        assert outcomes[0] == outcomes[1]

    def meant(self, expected: object) -> object:
        return self.model.current if expected == "current" else expected

    @rule(version=versions, expected=expectations, share=st.none() | shares)
    def publish(self, version: str, expected: object, share: float | None) -> None:
        expected, data = self.meant(expected), ARTIFACTS[version]
        self.same(
            lambda: self.store.publish(data, expected=expected, canary=share),
            lambda: self.model.publish(version, expected, share),
        )

    @rule(version=versions, expected=expectations, share=shares | st.just(1.0))
    def publish_shadow(self, version: str, expected: object, share: float) -> None:
        expected, data = self.meant(expected), ARTIFACTS[version]
        self.same(
            lambda: self.store.publish(data, expected=expected, shadow=share),
            lambda: self.model.publish_shadow(version, expected, share),
        )

    @rule(expected=expectations)
    def end_shadow(self, expected: object) -> None:
        expected = self.meant(expected)
        self.same(
            lambda: self.store.end_shadow("pets", expected=expected),
            lambda: self.model.end_shadow(expected),
        )

    @rule(version=st.none() | versions, expected=expectations, digits=st.integers(8, 64))
    def promote(self, version: str | None, expected: object, digits: int) -> None:
        expected, prefix = self.meant(expected), version and version[:digits]
        self.same(
            lambda: self.store.promote("pets", prefix, expected=expected),
            lambda: self.model.promote(version, expected),
        )

    @rule(expected=expectations)
    def rollback(self, expected: object) -> None:
        expected = self.meant(expected)
        self.same(
            lambda: self.store.rollback("pets", expected=expected),
            lambda: self.model.rollback(expected),
        )

    @rule(expected=expectations)
    def end_canary(self, expected: object) -> None:
        expected = self.meant(expected)
        self.same(
            lambda: self.store.end_canary("pets", expected=expected),
            lambda: self.model.end_canary(expected),
        )

    @rule(version=versions, is_on=st.booleans())
    def pin(self, version: str, is_on: bool) -> None:
        change = self.store.pin if is_on else self.store.unpin
        self.same(lambda: change("pets", version), lambda: self.model.pin(version, is_on=is_on))

    @rule(version=versions)
    def remove(self, version: str) -> None:
        self.same(lambda: self.store.remove("pets", version), lambda: self.model.remove(version))

    @rule(keep=st.integers(1, 3), hours=st.integers(1, 5), dry_run=st.booleans())
    def collect(self, keep: int, hours: int, dry_run: bool) -> None:
        age = hours * HOUR - HOUR / 2  # never a matter of the seconds that the test has run
        found = collect_garbage(
            self.store, "pets", keep=keep, older_than_s=age.total_seconds(), dry_run=dry_run
        )
        assert {one.version for one in found} == self.model.collect(keep, age, dry_run=dry_run)

    @rule(version=versions, loses_all=st.booleans())
    def damage(self, version: str, loses_all: bool) -> None:
        if version in self.model.held:
            path = self.store.files.artifact("pets", version)
            self.model.whole.discard(version)
            if loses_all:
                path.unlink()
                self.model.damaged.discard(version)
            else:
                path.write_bytes(path.read_bytes()[:-1])
                self.model.damaged.add(version)

    @invariant()
    def what_is_recorded_is_the_same(self) -> None:
        if self.model.current is None:
            with pytest.raises(TaskNotFound):
                self.store.record("pets")
            return
        record = self.store.record("pets")
        log = self.store.log("pets")
        moves = [entry.sequence for entry in log if entry.revision == 0]
        assert moves == [*range(1, record.sequence + 1)]
        numbers = [entry.number for entry in log]
        assert numbers == sorted(set(numbers))
        assert numbers[-1] == (record.sequence, record.revision)
        assert record.pointer == self.model.pointer
        assert [entry.version for entry in record.history] == self.model.history
        assert set(record.pinned) == self.model.pinned
        assert self.store.versions("pets") == sorted(self.model.held)

    @invariant()
    def whole_versions_are_read_and_nothing_else(self) -> None:
        for version, data in ARTIFACTS.items():
            if version in self.model.whole:
                assert self.store.read("pets", version) == data
            else:
                damaged = version in self.model.damaged
                expected = ArtifactCorrupt if damaged else (VersionNotFound, TaskNotFound)
                with pytest.raises(expected):
                    self.store.read("pets", version)

    @invariant()
    def the_audit_finds_what_is_damaged_or_missing(self) -> None:
        wrong = {finding.version for finding in audit(self.store) if finding.damage}
        assert wrong == self.model.damaged | (self.model.named - self.model.held)

    @invariant()
    def the_other_task_is_untouched(self) -> None:
        assert self.store.current("dogs") == self.other


TestStoreMachine = StoreMachine.TestCase
TestStoreMachine.settings = settings(max_examples=30, stateful_step_count=40, deadline=None)
