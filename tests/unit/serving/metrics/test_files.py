"""Processes of a launch count together; of one that has ended its counts stay, and no gauge."""

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from serving.metrics.begin import begin_metrics
from serving.metrics.metrics import Metrics
from tests.fakes.exposed import told_in

OK = 'spt_rows_total{code="ok"}'


@contextmanager
def counting(folder: Path, rows: int) -> Iterator[subprocess.Popen[str]]:
    """Give the block a process that has counted; it is killed at the end, if not before."""
    command = [sys.executable, "-m", "tests.fakes.counting", str(folder), str(rows)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "counted\n"
            yield process
        finally:
            process.kill()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "metrics"
    folder.mkdir()
    return folder


@pytest.fixture
def metrics(folder: Path) -> Metrics:
    """What another process of the launch is asked for; it has counted nothing itself."""
    return Metrics(folder)


def test_counts_and_waiting_rows_are_summed_over_processes(folder: Path, metrics: Metrics) -> None:
    with counting(folder, 3), counting(folder, 4):
        told = told_in(metrics.text())
    assert told[OK] == 7
    assert told["spt_queue_rows"] == 7
    assert told["spt_bank_adapters"] == 2
    assert told["spt_bank_hits_total"] == 14
    assert told['spt_phase_seconds_count{phase="forward"}'] == 0
    assert told['spt_info{backbone="tiny",backend="torch",precision="float32",version="1"}'] == 1


def test_a_process_that_is_killed_takes_its_gauges_along_and_leaves_its_counts(
    folder: Path, metrics: Metrics
) -> None:
    with counting(folder, 3), counting(folder, 4) as second:
        second.kill()
        second.wait()
        told = told_in(metrics.text())
        assert (told[OK], told["spt_queue_rows"]) == (7, 3)
    told = told_in(metrics.text())
    assert told[OK] == 7
    assert told["spt_bank_hits_total"] == 14
    gauges = {"spt_queue_rows", "spt_bank_adapters", "spt_bank_bytes", "spt_store_up", "spt_ready"}
    assert not gauges & told.keys()
    assert not any(series.startswith("spt_info") for series in told)


def test_files_of_ended_processes_do_not_add_up_in_number_but_in_value(
    folder: Path, metrics: Metrics
) -> None:
    sizes = set()
    for i in range(1, 4):
        with counting(folder, 2):
            pass
        assert told_in(metrics.text())[OK] == 2 * i
        sizes.add(len(list(folder.iterdir())))
    assert len(sizes) == 1
    assert told_in(metrics.text())[OK] == 6


def test_a_later_process_with_the_number_of_one_that_has_ended_is_another(
    folder: Path, metrics: Metrics
) -> None:
    with counting(folder, 3) as process:
        shutil.copy(
            folder / f"gauge_livesum_{process.pid}.db", folder / f"gauge_livesum_{os.getpid()}.db"
        )
        assert told_in(metrics.text())["spt_queue_rows"] == 6
        os.utime(folder / f"gauge_livesum_{os.getpid()}.db", (1e9, 1e9))
        assert told_in(metrics.text())["spt_queue_rows"] == 3


def test_a_process_that_finds_no_room_for_its_files_counts_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("os.posix_fallocate", refuse)
    metrics = begin_metrics(tmp_path / "metrics")
    metrics.close()
    assert "No space left on device" in caplog.text
    assert told_in(metrics.text())["spt_queue_rows"] == 0
    assert [path.name for path in (tmp_path / "metrics").iterdir()] == ["lock"]


def test_a_folder_that_is_gone_is_an_error_of_the_file_system(
    folder: Path, metrics: Metrics
) -> None:
    shutil.rmtree(folder)
    with pytest.raises(FileNotFoundError):
        metrics.text()
