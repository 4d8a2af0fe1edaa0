"""`spt import`: a linear head that was trained elsewhere becomes an artifact."""

import argparse
from pathlib import Path
from typing import get_args

from adapters.artifact.backbone_spec import EMBEDDED, Pooling
from adapters.streams import say


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `run` reads."""
    parser.epilog = "Nothing is measured: the artifact has no scores, and no temperature."
    parser.add_argument("task", help="its id")
    parser.add_argument(
        "head", type=Path, help="safetensors file of an nn.Linear: weight [C, D], maybe bias [C]"
    )
    parser.add_argument(
        "--classes", type=Path, required=True, help="class names by row: one a line, or a JSON list"
    )
    parser.add_argument(
        "--backbone", default=EMBEDDED, help="timm name of the ViT whose features it was trained on"
    )
    parser.add_argument("--weights", type=Path, help="local checkpoint of the backbone")
    parser.add_argument(
        "--image-size", type=int, metavar="PIXELS", help="side of its input (default: its own)"
    )
    parser.add_argument(
        "--pooling", choices=get_args(Pooling), help="default: that of the backbone's family"
    )
    parser.add_argument(
        "--resize", choices=["squash", "shorter"], default="squash", help="of both sides, or of one"
    )
    parser.add_argument(
        "--resize-size", type=int, metavar="PIXELS", help="default: the backbone's image size"
    )
    parser.add_argument("--out", type=Path, help="file (default: runs/import/TASK.safetensors)")


def run(args: argparse.Namespace) -> int:
    """Write the artifact, and say how to publish it.

    Raises:
        SptError: the head, the names or the backbone cannot be had, or do not fit each other.
    """
    from adapters.artifact.bounds import check_pixels
    from adapters.exchange.linear_head import make_linear
    from adapters.store import durable
    from adapters.vit.adapter import encode
    from adapters.vit.backbone import load_backbone

    backbone = load_backbone(
        args.backbone, args.weights, image_size=args.image_size, pooling=args.pooling
    )
    own = backbone.preprocessing
    size = args.resize_size or own.resize_size
    rule = own.model_copy(update={"resize": args.resize, "resize_size": size})
    check_pixels(args.task, rule, backbone.spec.image_size)
    adapter = make_linear(args.task, args.head, args.classes, backbone.spec, rule)
    out = args.out or Path("runs/import") / f"{args.task}.safetensors"
    out.parent.mkdir(parents=True, exist_ok=True)
    durable.write(out, encode(adapter))
    say(f"wrote {out}; next: spt publish {out}")
    return 0
