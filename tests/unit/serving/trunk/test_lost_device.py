"""A device that is lost is told from one that is merely full or asked wrongly, and told once."""

import logging
import threading

import pytest
import torch

from serving.errors import DeviceLost
from serving.inference.core import USUAL_PROMPTS
from serving.trunk import lost_device
from serving.trunk.backend import Example, Form
from serving.trunk.cpu import CpuBackend
from serving.trunk.lost_device import named, probe
from tests.fakes.tiny import tiny_backbone

EXAMPLE = Example(Form(0, False, "cls", "before-pooling"), USUAL_PROMPTS)


@pytest.fixture(autouse=True)
def untold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lost_device, "_told", threading.Event())


@pytest.mark.parametrize(
    "error",
    [
        torch.AcceleratorError("CUDA error: an illegal memory access was encountered"),
        torch.AcceleratorError("uncorrectable ECC error encountered"),
        RuntimeError("CUDA error: device-side assert triggered"),
        RuntimeError("CUDA failure 700: an illegal memory access was encountered ; GPU=0"),
    ],
)
def test_a_lost_device_is_one_traceback_and_asks_the_caller_to_come_again(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        found = named(error)
        assert isinstance(found, DeviceLost)
        assert found.retry_after_s > 0
        assert "memory access" not in str(found)
    assert [record.levelno for record in caplog.records if record.exc_info] == [logging.CRITICAL]


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        torch.AcceleratorError("CUDA error: out of memory"),
        RuntimeError("The size of tensor a (4) must match the size of tensor b (5)"),
        ValueError("CUDA error: said somebody"),
    ],
)
def test_what_passes_or_is_one_forwards_own_is_left_as_it_is(error: Exception) -> None:
    assert named(error) is error


def test_a_row_of_nothing_goes_through_the_trunk(monkeypatch: pytest.MonkeyPatch) -> None:
    backend = CpuBackend(tiny_backbone())
    probe(backend, EXAMPLE)

    def lose(*_: object) -> None:
        raise torch.AcceleratorError("CUDA error: unspecified launch failure")

    monkeypatch.setattr(backend, "features", lose)
    with pytest.raises(DeviceLost):
        probe(backend, EXAMPLE)
