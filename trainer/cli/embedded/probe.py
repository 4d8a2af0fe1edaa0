"""`spt probe`: how good the embedded backbone's features are, by a linear probe on CIFAR-10."""

import argparse
from pathlib import Path

from adapters.streams import say


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `run` reads."""
    parser.add_argument("--data", type=Path, required=True, help="folder of CIFAR-10")
    parser.add_argument("--weights", type=Path, required=True, help="of the embedded backbone")


def run(args: argparse.Namespace) -> int:
    """Print the test accuracy with these weights, and of the untrained network.

    Raises:
        SptError: the images or the weights cannot be read.
    """
    from trainer.pretraining.probe import probe

    for weights in (args.weights, None):
        name = "untrained" if weights is None else str(weights)
        say(f"linear probe, {name}: {probe(weights, args.data):.4f}")
    return 0
