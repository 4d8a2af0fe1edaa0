"""Series by version: of few tasks, of few versions, and gone when their canary is."""

from pathlib import Path

import pytest

from serving.errors import DeviceOutOfMemory
from serving.metrics.metrics import Metrics
from serving.metrics.versions import (
    FORGET_S,
    MOST_TASKS,
    MOST_VERSIONS,
    Versions,
    VersionsFile,
)
from serving.observing.observer import Served, Span
from serving.protocol import Answer
from serving.rows.query import Outcome, Query, Role
from tests.fakes.exposed import told_in


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def served(
    task: str, version: str = "a", role: Role = "current", *, outcome: Outcome | None = None
) -> Served:
    answer = Answer(task=task, version=version * 64, predictions=())
    return Served(Query(b"", task), version * 64, role, outcome or answer, Span(0.0, 0.02))


def tasks_of(versions: Versions) -> list[str]:
    return sorted({counts.task for counts in versions.counts()})


def test_rows_and_seconds_are_told_by_version_role_and_outcome() -> None:
    metrics = Metrics(None)
    metrics.observer.served([served("pets"), served("pets", "b", "canary"), served("pets")])
    full = DeviceOutOfMemory("no room")
    metrics.observer.served([served("pets", "b", "canary", outcome=full)])
    told = told_in(metrics.text())
    current = 'role="current",task="pets",version="aaaaaaaaaaaa"'
    canary = 'role="canary",task="pets",version="bbbbbbbbbbbb"'
    rows = {series: value for series, value in told.items() if "version_rows" in series}
    assert rows == {
        f'spt_version_rows_total{{outcome="ok",{current}}}': 2,
        f'spt_version_rows_total{{outcome="ok",{canary}}}': 1,
        f'spt_version_rows_total{{outcome="out_of_memory",{canary}}}': 1,
    }
    assert told[f"spt_version_seconds_count{{{current}}}"] == 2
    assert told[f"spt_version_seconds_sum{{{current}}}"] == pytest.approx(0.04)
    assert told[f'spt_version_seconds_bucket{{le="0.01",{current}}}'] == 0
    assert told[f'spt_version_seconds_bucket{{le="0.025",{current}}}'] == 2
    assert told[f'spt_version_seconds_bucket{{le="+Inf",{canary}}}'] == 1


def test_the_tasks_that_were_not_asked_for_longest_fall_out() -> None:
    versions = Versions()
    names = [f"task{i:03}" for i in range(MOST_TASKS + 1)]
    versions.add(served(name) for name in names[:-1])
    versions.add([served(names[0]), served(names[-1])])
    assert tasks_of(versions) == [names[0], *names[2:]]


def test_a_task_of_many_versions_keeps_the_last_ones() -> None:
    versions = Versions()
    versions.add(served("pets", version) for version in "0123456789")
    kept = [counts.version[0] for counts in versions.counts()]
    assert kept == list("0123456789")[-MOST_VERSIONS:]


def test_a_task_without_a_canary_is_forgotten_after_a_while() -> None:
    clock = Clock()
    versions = Versions(clock)
    versions.add([served("pets"), served("cars")])
    clock.now = FORGET_S
    versions.add([served("cars")])
    clock.now += 1.0
    assert tasks_of(versions) == ["cars"]


def test_what_one_process_leaves_in_a_file_another_tells(tmp_path: Path) -> None:
    path, versions = tmp_path / "versions.json", Versions()
    nothing = [family.samples for family in VersionsFile(path).collect()]
    assert nothing == [[], []]
    versions.add([served("pets"), served("pets", "b", "canary")])
    versions.write(path)
    here, there = list(versions.collect()), list(VersionsFile(path).collect())
    assert here == there
    assert [path.name for path in tmp_path.iterdir()] == ["versions.json"]
    path.write_text("{")
    assert [family.samples for family in VersionsFile(path).collect()] == nothing
