"""`spt train`: one task, one or several seeds, published when done."""

import argparse
from pathlib import Path

from adapters.program import UsageError
from trainer.cli.recipe_options import STOPPED, add_recipe_options

__all__ = ["STOPPED", "add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `run` reads."""
    add_recipe_options(parser)
    parser.add_argument(
        "--seeds", type=int, metavar="N", help="train seeds 0 to N-1; tell mean and deviation"
    )
    parser.add_argument(
        "--store",
        type=Path,
        default=Path("runs/store"),
        help="where to publish: a folder, or s3://bucket/prefix",
    )
    parser.add_argument("--no-publish", action="store_true", help="leave the store as it is")
    parser.add_argument(
        "--sign", type=Path, metavar="KEY", help="private key, PEM, that signs what is published"
    )


def run(args: argparse.Namespace) -> int:
    """Train, say how good it is, and publish.

    Raises:
        SptError: as `trainer.experiment.run.run`; or the store cannot be written.
        UsageError: there is a key and nothing to sign.
    """
    if args.sign is not None and (args.no_publish or args.seeds is not None):
        raise UsageError("--sign signs what is published: leave out --no-publish and --seeds")
    from trainer.cli.training import train_seeds, train_task

    train_task(args) if args.seeds is None else train_seeds(args)
    return 0
