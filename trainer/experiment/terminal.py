"""What a person sees of training: a bar with loss, accuracy and time left.

Where the output is no terminal, plain lines take its place: one for each epoch, and one for each
half minute without.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from adapters.streams import Stream, say
from trainer.training.checkpoint import Progress as Reached
from trainer.training.loop import Watch

_SILENCE_S = 30.0
"""Where there is no terminal, nothing is said for no longer than this."""


@contextmanager
def training_bar(title: str, epochs: int, stream: Stream = "stdout") -> Iterator[Watch]:
    """Show progress; yields the watch that the training loop calls.

    Args:
        title: what is trained.
        epochs: of the whole training.
        stream: where it is shown.
    """
    file = getattr(sys, stream)
    if not file.isatty():
        with _Lines(title, epochs, stream) as lines:
            yield lines
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[figures]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(file=file)) as bar:
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

    def __init__(self, title: str, epochs: int, stream: Stream) -> None:
        self._title, self._epochs, self._stream = title, epochs, stream
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
                with suppress(OSError):  # the training's own next line will meet it
                    self._tell_finished()
                    self._say(self._doing)

    def _say(self, what: str) -> None:
        self._said_at = time.monotonic()
        say(f"{self._title}: {what}", self._stream)
