"""The allocator's setting is taken, and does what it is for."""

import subprocess
import sys

import pytest

FAULTS = """
import resource, torch
from serving.trunk.allocator import disable_malloc_trim
def faults():
    for _ in range(10):
        torch.ones(20_000_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(5):
        torch.ones(20_000_000)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
by_default = faults()
assert disable_malloc_trim()
print(by_default, faults())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the setting is glibc's")
def test_freed_memory_is_used_again_without_new_pages():
    told = subprocess.check_output([sys.executable, "-c", FAULTS], text=True)
    by_default, kept = map(int, told.split())
    assert kept < 1000 < by_default
