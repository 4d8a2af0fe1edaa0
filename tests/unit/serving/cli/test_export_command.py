"""The export at the command line, end to end on the embedded backbone."""

import json
import subprocess
import sys
from pathlib import Path


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "serving", "export", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_an_export_says_how_near_it_is_and_how_to_serve_it(tmp_path: Path) -> None:
    done = run("--out", str(tmp_path / "onnx"))
    assert done.returncode == 0, done.stderr
    assert "largest relative difference from torch" in done.stdout
    assert f"--set onnx={tmp_path / 'onnx'}" in done.stdout
    report = json.loads((tmp_path / "onnx" / "trunk.json").read_text())
    assert report["backbone"]["pooling"] == "mean-with-prompts"
    assert max(report["errors"].values()) < 1e-5


def test_int8_without_images_is_an_error_of_one_line(tmp_path: Path) -> None:
    done = run("--precision", "int8", "--store", str(tmp_path), "--images", str(tmp_path))
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("error: int8 is compared")
