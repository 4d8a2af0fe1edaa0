"""No character ends a command because its reader's encoding lacks it."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
def test_what_cannot_be_shown_is_spelled_out(encoding: str) -> None:
    code = (
        "import sys; from adapters.streams import spell_out_what_cannot_be_shown\n"
        "spell_out_what_cannot_be_shown()\n"
        "print('loading \u2026 \u72ac'); print('caf\u00e9', file=sys.stderr)"
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
