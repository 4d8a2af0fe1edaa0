"""The allocator's setting is taken, and does what it is for."""

import subprocess
import sys

import pytest

FAULTS = """
import resource, sys, torch
from serving.trunk.allocator import disable_malloc_trim
if sys.argv[1] == "keep":
    assert disable_malloc_trim()
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    torch.ones(20_000_000)
before = faults()
for _ in range(5):
    torch.ones(20_000_000)
print(faults() - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the setting is glibc's")
def test_freed_memory_is_used_again_without_new_pages():
    faults = {
        how: int(subprocess.check_output([sys.executable, "-c", FAULTS, how], text=True))
        for how in ("keep", "default")
    }
    assert faults["keep"] < 1000 < faults["default"]
