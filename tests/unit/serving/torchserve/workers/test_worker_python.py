"""What TorchServe takes for Python is Python, but for its workers."""

import os
import subprocess
from pathlib import Path

import pytest

from serving.torchserve.workers.python import PYTHON, worker_python, write_python


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "it's a launch"
    folder.mkdir()
    write_python(folder)
    return folder


def test_what_torchserve_takes_for_python_is_python_for_all_but_workers(folder: Path) -> None:
    python = worker_python(folder)
    assert python == folder.resolve() / PYTHON
    script = folder / "metric_collector.py"
    worker = folder / "model_service_worker.py"
    for program in (script, worker):
        program.write_text("import sys; print(*sys.argv[1:])")
    done = [
        subprocess.run([python, one, "a b", "c"], capture_output=True, text=True, check=True)
        for one in (script, worker)
    ]
    assert [one.stdout for one in done] == ["a b c\n", "a b c\n"]
    assert done[0].stderr == ""
    assert "no fork server answers" in done[1].stderr


def test_a_folder_from_which_nothing_may_run_leaves_torchserve_its_python(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert worker_python(folder) is None
