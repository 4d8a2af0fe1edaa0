"""What is printed is seen as it is, whatever the output can show; or it is known to be lost."""

import subprocess
import sys
from pathlib import Path

import pytest

from adapters.streams import say


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
def test_what_cannot_be_shown_is_spelled_out(encoding: str) -> None:
    code = (
        "import sys; from adapters.streams import prepare\n"
        "prepare(); print('loading \u2026 \u72ac'); print('caf\u00e9', file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-X", "utf8=0", "-c", code],
        env={"PYTHONIOENCODING": encoding, "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        check=True,
    )
    assert done.stdout.decode(encoding).startswith("loading ")
    assert done.stdout.rstrip() == "loading \u2026 \u72ac".encode(encoding, "backslashreplace")
    assert done.stderr.rstrip() == "caf\u00e9".encode(encoding, "backslashreplace")


def test_a_line_is_as_long_as_it_is_and_written_at_once(tmp_path: Path):
    path = "/".join(["a folder [red] of a long name"] * 12)
    code = (
        "import os; from adapters.streams import say; "
        f"say({path!r} + chr(27) + chr(10)); os._exit(0)"
    )
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert child.stdout == path + r"\x1b\n" + "\n"


def test_hidden_characters_do_not_reach_the_terminal(capsys: pytest.CaptureFixture[str]):
    say("a\x1b[31m\tb\u202e \udcff caf\u00e9")
    assert capsys.readouterr().out == "a\\x1b[31m\\tb\\u202e \\udcff caf\u00e9\n"


def test_a_stream_that_is_closed_takes_everything_and_no_file_gets_its_number(tmp_path: Path):
    code = (
        "from adapters.streams import prepare, say; prepare(); say('lost'); print('lost')\n"
        f"file = open({str(tmp_path / 'file')!r}, 'w'); assert file.fileno() > 2"
    )
    command = f'exec {sys.executable} -c "$0" >&- 2>&-'
    assert subprocess.run(["sh", "-c", command, code], check=False).returncode == 0
    assert (tmp_path / "file").read_bytes() == b""
