"""Commands that give way to others do so before they load anything."""

import subprocess
import sys
from pathlib import Path

import pytest

from adapters.background import NICENESS

TELL = """
import os, pathlib
{before}
from adapters.background import give_way
give_way(); give_way()
group = pathlib.Path("/proc/self/autogroup")
print(os.nice(0), group.read_text().split()[-1] if group.exists() else "none")
"""


def told(before: str = "", *, leads: bool) -> list[str]:
    code = TELL.format(before=before)
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        start_new_session=leads,
    )
    return done.stdout.split()


def test_a_process_that_leads_its_session_lowers_both():
    expected = str(NICENESS) if Path("/proc/self/autogroup").exists() else "none"
    assert told(leads=True) == [str(NICENESS), expected]


def test_the_session_of_a_shell_is_left_alone():
    group = Path("/proc/self/autogroup")
    expected = group.read_text().split()[-1] if group.exists() else "none"
    assert told(leads=False) == [str(NICENESS), expected]


def test_what_gave_way_already_by_more_is_not_raised():
    assert told("os.nice(15)", leads=False)[0] == "15"


@pytest.mark.parametrize(("command", "expected"), [("publish", NICENESS), ("show", 0)])
def test_publishing_gives_way_and_looking_does_not(command: str, expected: int):
    code = f"""
import os, sys
from adapters.cli import TABLE
from adapters import program
program.import_module = lambda name: print(os.nice(0)) or sys.exit(0)
program.Program("x", "x", (TABLE,)).main(["{command}", "pets"])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(expected)]
