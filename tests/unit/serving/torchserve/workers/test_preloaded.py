"""What a launch's fork server imports leaves it fit to fork: no thread, and no device in use."""

import subprocess
import sys

from serving.torchserve import launch

PRELOAD = """
import sys, torch
from unittest.mock import patch
from serving.forking.server import preload, require_one_thread

def asked(*_):
    raise AssertionError("a device was asked for, and would be lost to every fork")

with patch.object(torch._C, "_cuda_getDeviceCount", asked, create=True):
    preload(sys.argv[1:])
require_one_thread()
assert not torch.cuda.is_initialized()
print(*sorted({"serving.handler", "ts.service", "torch", "timm"} & sys.modules.keys()))
"""


def test_the_workers_imports_begin_no_thread_and_ask_for_no_device() -> None:
    command = [sys.executable, "-c", PRELOAD, *launch._PRELOADED]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["serving.handler", "timm", "torch", "ts.service"], done.stderr
