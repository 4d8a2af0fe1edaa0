"""The world sees when a worker last worked, by a file's age, also on a full disk."""

import errno
import os
from pathlib import Path

import pytest

from serving.health.heartbeat import FILE, Heartbeat, age_of, forget


def test_a_beat_is_seen_by_the_worker_and_by_others(tmp_path: Path) -> None:
    assert age_of(tmp_path) is None
    heart = Heartbeat(tmp_path)
    heart.beat()
    os.utime(tmp_path / FILE, (0, 0))
    assert (age_of(tmp_path) or 0) > 1e9
    heart.beat()
    age_s = age_of(tmp_path)
    assert age_s is not None
    assert age_s < 60
    assert heart.age_s < 60
    forget(tmp_path)
    assert age_of(tmp_path) is None
    forget(tmp_path)


def test_a_disk_that_takes_no_file_does_not_stop_the_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "touch", full)
    heart = Heartbeat(tmp_path)
    heart.beat()
    assert heart.age_s < 60
    assert "No space left" in caplog.text


def test_a_worker_that_nobody_watches_leaves_no_file(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    Heartbeat(None).beat()
    assert list(tmp_path.iterdir()) == []
