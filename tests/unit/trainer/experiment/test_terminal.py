"""What a log shows of a training: every epoch, no silence, no broken lines."""

import time

import pytest

from trainer.experiment import terminal as module
from trainer.experiment.terminal import training_bar
from trainer.training.checkpoint import Progress


def one_run(epochs: int, steps: int = 2) -> list[Progress]:
    """Walk through a run as the loop does, under a watch; return the progress it told of."""
    progress = Progress()
    with training_bar("toy linear", epochs) as watch:
        for epoch in range(epochs):
            for step in range(1, steps + 1):
                watch(progress, step, steps, 0.5)
            progress.losses.append(0.25)
            progress.val_accuracies.append(epoch / 10)
    return [progress]


@pytest.mark.parametrize("epochs", [1, 3, 7, 12])
def test_without_a_terminal_every_epoch_is_a_line_with_its_own_score(
    epochs: int, capsys: pytest.CaptureFixture[str]
):
    one_run(epochs)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("toy linear: preparing")
    expected = [
        f"toy linear: epoch {i + 1}/{epochs} loss 0.250 val {i / 10:.3f}" for i in range(epochs)
    ]
    assert lines[1:] == expected


def test_a_run_that_goes_on_does_not_tell_of_former_epochs(capsys: pytest.CaptureFixture[str]):
    progress = Progress(losses=[0.5, 0.4], val_accuracies=[0.1, 0.2])
    with training_bar("toy", 3) as watch:
        watch(progress, 1, 1, 0.3)
        progress.losses.append(0.3)
        progress.val_accuracies.append(0.3)
    assert "epoch 2/3" not in (shown := capsys.readouterr().out)
    assert "epoch 3/3 loss 0.300 val 0.300" in shown


def test_two_runs_under_one_watch_are_both_told_to_the_end(capsys: pytest.CaptureFixture[str]):
    with training_bar("sweep", 1) as watch:
        for val in (0.1, 0.2):
            progress = Progress()
            watch(progress, 1, 1, 0.3)
            progress.losses.append(0.3)
            progress.val_accuracies.append(val)
    shown = capsys.readouterr().out
    assert "val 0.100" in shown
    assert "val 0.200" in shown


def test_a_long_epoch_is_not_silent(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "_SILENCE_S", 0.05)
    told = ""
    with training_bar("toy", 3) as watch:
        for wanted in ("toy: preparing", "toy: epoch 1/3 step 4/9 loss 0.700"):
            until = time.monotonic() + 60
            while told.count(wanted) < 2 and time.monotonic() < until:
                time.sleep(0.02)
                told += capsys.readouterr().out
            assert told.count(wanted) >= 2
            watch(Progress(), 4, 9, 0.7)
