"""Curves are logged on request, and a missing package is said in one line."""

import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.unit.trainer.toy import ignore, toy_recipe
from trainer.errors import RecipeError
from trainer.experiment.tensorboard import logged
from trainer.training.checkpoint import Progress

ASKED = toy_recipe(report={"tensorboard": True})


def test_nothing_is_wrapped_unless_asked(tmp_path: Path):
    with logged(toy_recipe(), tmp_path, ignore) as watch:
        assert watch is ignore


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with (
        pytest.raises(RecipeError, match="package tensorboard is not installed; pip install"),
        logged(ASKED, tmp_path, ignore),
    ):
        pass


def test_losses_and_validation_accuracies_are_logged_and_passed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    written: list[tuple[str, float, int]] = []

    class Writer:
        def __init__(self, folder: str) -> None:
            assert folder == str(tmp_path / "tensorboard")

        def __enter__(self) -> "Writer":
            return self

        def __exit__(self, *_: object) -> None:
            written.append(("closed", 0, 0))

        def add_scalar(self, name: str, value: float, step: int) -> None:
            written.append((name, value, step))

    fake = ModuleType("torch.utils.tensorboard")
    fake.SummaryWriter = Writer
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", fake)
    told = []
    progress = Progress()
    with logged(ASKED, tmp_path, lambda *step: told.append(step)) as watch:
        watch(progress, 1, 2, 0.9)
        watch(progress, 2, 2, 0.8)
        progress.losses.append(0.8)
        progress.val_accuracies.append(0.5)
        watch(progress, 1, 2, 0.7)
        progress.losses.append(0.7)
        progress.val_accuracies.append(0.6)
    assert written == [
        ("loss/train", 0.9, 1),
        ("loss/train", 0.8, 2),
        ("accuracy/validation", 0.5, 1),
        ("loss/train", 0.7, 3),
        ("accuracy/validation", 0.6, 2),
        ("closed", 0, 0),
    ]
    assert len(told) == 3
