"""`python -m trainer pretrain` and `probe`: how the embedded backbone was made and measured."""

import argparse
from pathlib import Path
from typing import Any

from trainer.pretraining.probe import probe
from trainer.pretraining.run import PretrainRecipe, pretrain


def add_pretrain_commands(commands: Any) -> None:
    """Add `pretrain` and `probe` to the trainer's sub-commands."""
    pre = commands.add_parser("pretrain", help="MAE pre-training of the embedded backbone")
    pre.add_argument("--data", type=Path, required=True, help="folder of CIFAR-10")
    pre.add_argument("--out", type=Path, default=Path("runs/pretrain"))
    pre.add_argument("--epochs", type=int, default=PretrainRecipe().epochs)
    pre.add_argument("--seed", type=int, default=0)
    pre.set_defaults(act=_pretrain)

    linear = commands.add_parser("probe", help="CIFAR-10 linear probe of the embedded backbone")
    linear.add_argument("--data", type=Path, required=True, help="folder of CIFAR-10")
    linear.add_argument("--weights", type=Path, required=True)
    linear.set_defaults(act=_probe)


def _pretrain(args: argparse.Namespace) -> None:
    recipe = PretrainRecipe(epochs=args.epochs, seed=args.seed)
    print(f"weights {pretrain(recipe, args.data, args.out)}")


def _probe(args: argparse.Namespace) -> None:
    for weights in (args.weights, None):
        name = "untrained" if weights is None else str(weights)
        print(f"linear probe, {name}: {probe(weights, args.data):.4f}")
