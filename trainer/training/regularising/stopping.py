"""When a run ends: after its last epoch, or after enough epochs that brought nothing better.

Decided by what the run's state keeps, so that one which was interrupted ends where another does.
"""

from collections.abc import Sequence

from trainer.recipe_parts import OptimRecipe


def has_stopped(optim: OptimRecipe, val_accuracies: Sequence[float]) -> bool:
    """Return whether training ends before its last epoch.

    Args:
        optim: its `patience` decides.
        val_accuracies: of every finished epoch. An epoch as good as the best one is not better.
    """
    if optim.patience is None or not optim.patience < len(val_accuracies) < optim.epochs:
        return False
    best = val_accuracies.index(max(val_accuracies))
    return len(val_accuracies) - 1 - best >= optim.patience
