"""What the export refuses at the command line; `test_backends.py` has an export that is served."""

from pathlib import Path

import pytest

from serving.__main__ import main


def test_int8_without_images_is_an_error_of_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = str(tmp_path)
    assert main(["export", "--precision", "int8", "--store", place, "--images", place]) == 1
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("error: rounding is measured on images of published tasks, and none")
