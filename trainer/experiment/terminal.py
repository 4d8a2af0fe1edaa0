"""What a person sees while a task trains: a bar with loss, accuracy and time left.

Where the output is no terminal, plain lines take its place: one for each epoch, and one for each
half minute without.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from adapters.artifact.shown import shown
from trainer.training.checkpoint import Progress as Reached
from trainer.training.loop import Watch

_SILENCE_S = 30.0
"""Where there is no terminal, nothing is said for no longer than this."""


def say(line: str) -> None:
    """Print one line at once, never wrapped; what the output's encoding lacks is spelled out."""
    encoding = sys.stdout.encoding or "utf-8"
    print(shown(line).encode(encoding, "backslashreplace").decode(encoding), flush=True)


@contextmanager
def training_bar(title: str, epochs: int) -> Iterator[Watch]:
    """Show progress; yields the watch that the training loop calls."""
    if not sys.stdout.isatty():
        with _Lines(title, epochs) as lines:
            yield lines
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[figures]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns) as bar:
        row = bar.add_task(title, total=None, figures="reading images")

        def watch(reached: Reached, step: int, steps: int, loss: float) -> None:
            figures = f"epoch {reached.epochs + 1}/{epochs} loss {loss:.3f}"
            if reached.val_accuracies:
                figures += f" val {reached.val_accuracies[-1]:.3f}"
            done = reached.epochs * steps + step
            bar.update(row, total=epochs * steps, completed=done, figures=figures)

        yield watch


class _Lines:
    """A watch that tells of every epoch once its score is known, and is never silent for long."""

    def __init__(self, title: str, epochs: int) -> None:
        self._title, self._epochs = title, epochs
        self._reached = Reached()
        self._told = 0
        self._doing = "preparing images, backbone and first weights"
        self._said_at = time.monotonic()
        self._over = Event()
        self._murmur = Thread(target=self._break_silence, daemon=True)

    def __enter__(self) -> "_Lines":
        self._say(self._doing)
        self._murmur.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._murmur.join()
        self._tell_finished()

    def __call__(self, reached: Reached, step: int, steps: int, loss: float) -> None:
        if reached is not self._reached:
            self._tell_finished()
            self._reached, self._told = reached, reached.epochs
        self._tell_finished()
        self._doing = (
            f"epoch {reached.epochs + 1}/{self._epochs} step {step}/{steps} loss {loss:.3f}"
        )
        if step == steps and reached.epochs + 1 == self._epochs:
            self._doing = "scoring images"

    def _tell_finished(self) -> None:
        """Say what the last epoch reached, unless that has been said."""
        reached = self._reached
        if reached.epochs > self._told and len(reached.val_accuracies) == reached.epochs:
            self._told = reached.epochs
            loss, val = reached.losses[-1], reached.val_accuracies[-1]
            self._say(f"epoch {self._told}/{self._epochs} loss {loss:.3f} val {val:.3f}")

    def _break_silence(self) -> None:
        while not self._over.wait(max(0.1, self._said_at + _SILENCE_S - time.monotonic())):
            if time.monotonic() >= self._said_at + _SILENCE_S:
                self._tell_finished()
                self._say(self._doing)

    def _say(self, what: str) -> None:
        self._said_at = time.monotonic()
        say(f"{self._title}: {what}")
