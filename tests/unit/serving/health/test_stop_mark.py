"""A stopping service says so to its worker and to whoever asks, and forgets it when it is over."""

import errno
import os
from pathlib import Path

from serving.health.stop_mark import FOLDER_VARIABLE, StopMark


def test_a_mark_says_first_that_the_service_stops_then_that_it_refuses(tmp_path: Path) -> None:
    mark, seen = StopMark(tmp_path), StopMark(tmp_path)
    for change, said in (
        (mark.begin, (False, False)),
        (lambda: mark.stop(refuse=False), (True, False)),
        (lambda: mark.stop(refuse=True), (True, True)),
        (mark.begin, (False, False)),
    ):
        change()
        assert (seen.is_stopping(), seen.is_refusing()) == said
        assert len(list(tmp_path.iterdir())) == 1
    mark.clear()
    assert list(tmp_path.iterdir()) == []
    mark.clear()


def test_a_mark_changes_on_a_disk_that_takes_no_new_file(tmp_path: Path, monkeypatch) -> None:
    mark = StopMark(tmp_path)
    mark.begin()

    def full(self: Path, *_: object, **__: object) -> None:
        if not self.exists():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "touch", full)
    mark.stop(refuse=False)
    mark.stop(refuse=True)
    assert mark.is_refusing()


def test_a_worker_finds_the_mark_of_its_launch(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    StopMark(tmp_path).stop(refuse=True)
    assert StopMark.of_this_worker().is_refusing()


def test_a_worker_without_a_launch_is_never_marked(monkeypatch) -> None:
    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)
    mark = StopMark.of_this_worker()
    mark.stop(refuse=True)
    assert (mark.is_stopping(), mark.is_refusing()) == (False, False)
    mark.clear()
