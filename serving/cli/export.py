"""`spt export`: the frozen trunk as ONNX, compared with torch before it is written."""

import argparse
from pathlib import Path
from typing import get_args

from adapters.artifact.backbone_spec import EMBEDDED, Pooling
from adapters.streams import say
from serving.config import LEAST_AGREEMENT


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `run` reads."""
    parser.add_argument("--backbone", default=EMBEDDED, help="timm name of a plain ViT")
    parser.add_argument("--weights", type=Path, help="local checkpoint of the backbone")
    parser.add_argument(
        "--pooling", choices=get_args(Pooling), help="default: that of the backbone's family"
    )
    parser.add_argument(
        "--precision", choices=["float32", "int8"], default="float32", help="of the products"
    )
    parser.add_argument("--out", type=Path, default=Path("runs/onnx"), help="the export's folder")
    parser.add_argument("--store", type=Path, default=Path("runs/store"), help="tasks to compare")
    parser.add_argument("--images", type=Path, default=Path("data"), help="with a folder per task")
    parser.add_argument(
        "--floor", type=float, default=LEAST_AGREEMENT, help="least agreement of any task"
    )


def run(args: argparse.Namespace) -> int:
    """Write the export, and say how near it is and how to serve it.

    Raises:
        ExportError: the trunk cannot be exported, or a task would be answered otherwise too often.
        SptError: the backbone, its weights or the store cannot be read.
    """
    from adapters.vit.backbone import load_backbone
    from serving.onnx.export import export_trunk
    from serving.onnx.int8 import export_int8, in_words
    from serving.onnx.samples import read_samples

    backbone = load_backbone(args.backbone, args.weights, pooling=args.pooling)
    if args.precision == "float32":
        export = export_trunk(backbone, args.out)
        say(f"largest relative difference from torch: {max(export.errors.values()):.1e}")
    else:
        samples = read_samples(backbone, args.store, args.images)
        export = export_int8(backbone, args.out, samples, args.floor)
        say(f"same best class as in float32: {in_words(export.agreement or {})}")
    say(
        f"wrote {args.out}; serve it with --set backend=onnx --set onnx={args.out} "
        f"--set precision={args.precision}"
    )
    return 0
