"""Curves for TensorBoard, on request: a watch around the watch."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trainer.checkpoint import Progress
from trainer.errors import RecipeError
from trainer.loop import Watch
from trainer.recipe import Recipe


@contextmanager
def logged(recipe: Recipe, folder: Path, watch: Watch) -> Iterator[Watch]:
    """Yield a watch that also logs loss and validation accuracy, if the recipe asks for it.

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

        def log(progress: Progress, step: int, steps: int, loss: float) -> None:
            if step == 1 and progress.val_accuracies:
                writer.add_scalar(
                    "accuracy/validation", progress.val_accuracies[-1], progress.epochs
                )
            writer.add_scalar("loss/train", loss, progress.epochs * steps + step)
            watch(progress, step, steps, loss)

        yield log
