"""A front or a device process that is killed at any step costs its own rows, and nothing leaks."""

import subprocess
import sys

import pytest

from serving.decoding.decoder import DecoderSettings
from serving.protocol import Answer
from serving.rows.query import Query
from serving.runtime.device_client import DeviceClient
from serving.runtime.front_engine import FrontEngine
from tests.fakes.tiny import image_bytes
from tests.fakes.tiny_device import TinyDevice
from tests.fakes.waiting import wait_until

FRONT_STEPS = 9
"""Welcome, and for each of two calls: ask, seats, pictures, outcomes."""

DEVICE_STEPS = 9
TIMEOUT_S = 300


@pytest.mark.timeout(2 * TIMEOUT_S)
def test_a_front_killed_at_any_step_takes_nothing_along(tmp_path):
    tiny = TinyDevice(tmp_path)
    tiny.begin()
    other = FrontEngine(DeviceClient(tmp_path, 60.0), DecoderSettings(threads=1), 60.0)
    command = [sys.executable, "-m", "tests.fakes.dying_front", str(tmp_path)]
    for step in range(1, FRONT_STEPS + 2):
        front = subprocess.run(
            [*command, str(step)], input=image_bytes(0), capture_output=True, timeout=TIMEOUT_S,
            check=False,
        )  # fmt: skip
        outlived = step > FRONT_STEPS
        assert front.returncode == (0 if outlived else -9), front.stderr.decode()
        assert front.stdout == (b"4\n" if outlived else b"")
        assert all(
            isinstance(one, Answer) for one in other.predict([Query(image_bytes(1), "task0")])
        )
        wait_until("its adapters are let go", lambda: not tiny.core.bank._leases)
        assert len(tiny.device._waiting) == 0
    other.close()
    tiny.close()


@pytest.mark.timeout(2 * TIMEOUT_S)
def test_a_device_process_killed_at_any_step_is_followed_by_another(tmp_path):
    command = [sys.executable, "-m", "tests.fakes.dying_devices", str(tmp_path), str(DEVICE_STEPS)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert [line[0] for line in lines] == [str(step) for step in range(1, DEVICE_STEPS + 1)]
    kinds = {word.partition("=")[0] for _, *words in lines for word in words}
    assert kinds == {"Answer", "DeviceAway"}
