"""`spt attention`: where a trained adapter makes the backbone look."""

import argparse
from pathlib import Path

from adapters.streams import say


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `run` reads."""
    parser.add_argument("artifact", type=Path, help="a trained <task>.safetensors")
    parser.add_argument("images", type=Path, nargs="+", help="JPEG, PNG or WebP files")
    parser.add_argument("--weights", type=Path, help="local checkpoint of the backbone")
    parser.add_argument("--out", type=Path, default=Path("attention.svg"), help=".svg or .png")


def run(args: argparse.Namespace) -> int:
    """Draw each image, its attention without the adapter's prompts, and with them.

    Raises:
        SptError: the artifact, an image or the backbone cannot be read.
    """
    from trainer.experiment.attention import draw_attention

    say(f"wrote {draw_attention(args.artifact, args.images, args.weights, args.out)}")
    return 0
