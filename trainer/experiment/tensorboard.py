"""Curves for TensorBoard, on request: a watch around the watch."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from trainer.errors import RecipeError
from trainer.objectives.choose import OBJECTIVES
from trainer.recipe import Recipe
from trainer.training.checkpoint import Progress
from trainer.training.loop import Watch


@contextmanager
def logged(recipe: Recipe, folder: Path, watch: Watch) -> Iterator[Watch]:
    """Yield a watch that also logs loss and validation score, if the recipe asks for it.

    Args:
        recipe: its `report.tensorboard` decides.
        folder: the run folder; events go to `tensorboard/` in it.
        watch: is told of everything, too.

    Raises:
        RecipeError: the package `tensorboard` is not installed.
    """
    if not recipe.report.tensorboard:
        yield watch
        return
    try:
        from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415 - an optional package
    except ImportError as error:
        raise RecipeError(
            "report.tensorboard is on, but the package tensorboard is not installed; "
            "pip install tensorboard, or set report.tensorboard=false"
        ) from error
    with SummaryWriter(str(folder / "tensorboard")) as writer:
        log = _Log(writer, watch, f"{OBJECTIVES[recipe.target].metric}/validation")
        yield log
        log.score()


class _Log:
    """Writes every step's loss, and each epoch's score once it is known."""

    def __init__(self, writer: Any, watch: Watch, tag: str) -> None:
        self._writer, self._watch, self._tag = writer, watch, tag
        self._progress = Progress()

    def __call__(self, progress: Progress, step: int, steps: int, loss: float) -> None:
        self._progress = progress
        if step == 1:
            self.score()
        self._writer.add_scalar("loss/train", loss, progress.epochs * steps + step)
        self._watch(progress, step, steps, loss)

    def score(self) -> None:
        """Write the latest epoch's validation score."""
        if self._progress.val_accuracies:
            found, epoch = self._progress.val_accuracies[-1], self._progress.epochs
            self._writer.add_scalar(self._tag, found, epoch)
