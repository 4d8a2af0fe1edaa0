"""Commands that give way to others do so before they load anything."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from adapters.background import NICENESS

LOWERED = max(NICENESS, os.nice(0))
"""What is expected of a process that gives way: the tests themselves may run lowered."""

AUTOGROUP = Path("/proc/self/autogroup")
NO_GROUPS = not (AUTOGROUP.exists() and AUTOGROUP.read_text().strip())
"""Kernels without autogroups lack the file; some containers show it empty."""

TELL = """
import os
{before}
from adapters.background import give_way
give_way(); give_way()
print(os.nice(0))
"""
TELL_GROUP = TELL + 'print(open("/proc/self/autogroup").read().split()[-1])'


def told(code: str, before: str = "", *, leads: bool = False) -> list[int]:
    done = subprocess.run(
        [sys.executable, "-c", code.format(before=before)],
        capture_output=True,
        text=True,
        check=True,
        start_new_session=leads,
    )
    return [int(word) for word in done.stdout.split()]


@pytest.mark.parametrize("leads", [True, False])
def test_a_process_gives_way_once(leads: bool):
    assert told(TELL, leads=leads) == [LOWERED]


@pytest.mark.skipif(NO_GROUPS, reason="this kernel shows no autogroup")
def test_a_process_that_leads_its_session_lowers_that_as_well():
    assert told(TELL_GROUP, leads=True) == [LOWERED, NICENESS]


@pytest.mark.skipif(NO_GROUPS, reason="this kernel shows no autogroup")
def test_the_session_of_a_shell_is_left_alone():
    shell = int(AUTOGROUP.read_text().split()[-1])
    assert told(TELL_GROUP, leads=False) == [LOWERED, shell]


def test_what_gave_way_already_by_more_is_not_raised():
    assert told(TELL, "os.nice(15 - os.nice(0))") == [15]


@pytest.mark.parametrize(("command", "expected"), [("publish", LOWERED), ("show", os.nice(0))])
def test_publishing_gives_way_and_looking_does_not(command: str, expected: int):
    code = f"""
import os, sys
from adapters.cli import TABLE
from adapters import program
program.import_module = lambda name: print(os.nice(0)) or sys.exit(0)
program.Program("x", "x", (TABLE,)).main(["{command}", "pets"])
"""
    assert told(code.replace("{", "{{").replace("}", "}}")) == [expected]
