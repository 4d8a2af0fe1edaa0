"""`spt pretrain`: how the embedded backbone was made, MAE on CIFAR-10."""

import argparse
from pathlib import Path

from adapters.streams import say
from trainer.pretraining.recipe import PretrainRecipe

STOPPED = "stopped; the same command goes on from the last finished epoch"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `run` reads."""
    recipe = PretrainRecipe()
    parser.add_argument("--data", type=Path, required=True, help="folder of CIFAR-10")
    parser.add_argument("--out", type=Path, default=Path("runs/pretrain"), help="folder of the run")
    parser.add_argument("--epochs", type=int, default=recipe.epochs, help="over the images")
    parser.add_argument("--seed", type=int, default=recipe.seed, help="of the training")


def run(args: argparse.Namespace) -> int:
    """Pre-train, and name the file of the weights.

    Raises:
        TrainerError: the images are missing, or the folder is another recipe's.
    """
    from trainer.pretraining.run import pretrain

    recipe = PretrainRecipe(epochs=args.epochs, seed=args.seed)
    say(f"weights {pretrain(recipe, args.data, args.out)}")
    return 0
