"""Loading goes on where /dev/shm is small, and its exhaustion is one line."""

import logging
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from adapters.artifact.preprocessing import Preprocessing
from tests.fakes.tiny import HALF, image_bytes
from trainer.data.task_data import Sample
from trainer.errors import TrainingError
from trainer.training import images as images_module
from trainer.training import shared_memory as module
from trainer.training.images import ImageSet, batches
from trainer.training.shared_memory import shared_memory_explained, workers_that_fit

RULE = Preprocessing(resize="squash", resize_size=16, crop=16, mean=HALF, std=HALF)


@pytest.fixture(autouse=True)
def _forget_warnings() -> None:
    module._warn.cache_clear()


def leave(monkeypatch: pytest.MonkeyPatch, free: int | None) -> None:
    def statvfs(_: Path) -> SimpleNamespace:
        if free is None:
            raise FileNotFoundError
        return SimpleNamespace(f_bavail=free // 512, f_frsize=512)

    monkeypatch.setattr(module.os, "statvfs", statvfs)


@pytest.mark.parametrize(
    ("free", "expected"),
    [(None, 4), (1 << 30, 4), (10 * 1024, 4), (8 * 1024, 3), (4 * 1024, 1), (2048, 0), (0, 0)],
)
def test_as_many_processes_load_as_shared_memory_holds_batches_of(
    monkeypatch: pytest.MonkeyPatch, free: int | None, expected: int
):
    leave(monkeypatch, free)
    assert workers_that_fit(4, 1024) == expected


def test_fewer_processes_are_warned_of_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    leave(monkeypatch, 64 << 10)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            workers_that_fit(2, 1 << 20)
    (record,) = caplog.records
    assert "/dev/shm is small: none of 2 loading processes" in record.message
    assert "--shm-size" in record.message


def test_with_little_shared_memory_the_same_images_come_without_processes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    samples = []
    for i in range(8):
        (tmp_path / str(i)).write_bytes(image_bytes(i, (16, 16)))
        samples.append(Sample(tmp_path / str(i), i % 2))
    expected = list(batches(ImageSet(samples, RULE), 4))
    monkeypatch.setattr(images_module, "CACHE_BYTES", 0)
    leave(monkeypatch, 1024)
    monkeypatch.setattr("os.fork", lambda: pytest.fail("a process was started"))
    found = list(batches(ImageSet(samples, RULE), 4))
    assert len(found) == len(expected) == 2
    for (pixels, labels), (right, of) in zip(found, expected, strict=True):
        assert torch.equal(pixels, right)
        assert torch.equal(labels, of)


@pytest.mark.parametrize(
    "text",
    [
        "unable to allocate shared memory(shm) for file </torch_1_2>: No space left on device (28)",
        "DataLoader worker (pid 7) is killed by signal: Bus error. It is possible that workers "
        "are out of shared memory. Please try to raise your shared memory limit.",
    ],
)
def test_no_shared_memory_left_is_one_line_that_names_it(text: str):
    with (
        pytest.raises(TrainingError, match=r"/dev/shm is full.*--shm-size") as caught,
        shared_memory_explained(),
    ):
        raise RuntimeError(text)
    assert "\n" not in str(caught.value)


def test_another_error_is_not_explained_away():
    with pytest.raises(RuntimeError, match="shapes differ"), shared_memory_explained():
        raise RuntimeError("shapes differ")
