"""`python -m serving export` and `link`: what is made ready before a service starts."""

import argparse
from pathlib import Path
from typing import Any, get_args

from adapters.artifact.backbone_spec import EMBEDDED, Pooling
from adapters.redis.server import find_server
from serving.config import LEAST_AGREEMENT
from serving.java.home import java_home


def add_export_commands(commands: Any) -> None:
    """Add `export` and `link` to the service's sub-commands."""
    export = commands.add_parser(
        "export", help="write the frozen trunk as ONNX, compared with torch"
    )
    export.add_argument("--backbone", default=EMBEDDED)
    export.add_argument("--weights", type=Path)
    export.add_argument(
        "--pooling", choices=get_args(Pooling), help="the backbone's own unless told"
    )
    export.add_argument("--precision", choices=["float32", "int8"], default="float32")
    export.add_argument("--out", type=Path, default=Path("runs/onnx"))
    export.add_argument("--store", type=Path, default=Path("runs/store"), help="tasks to compare")
    export.add_argument("--images", type=Path, default=Path("data"), help="with a folder per task")
    export.add_argument(
        "--floor", type=float, default=LEAST_AGREEMENT, help="least agreement of any task"
    )
    export.set_defaults(act=_export)
    link = commands.add_parser("link", help="put Java and Redis on an environment's PATH")
    link.add_argument("bin", type=Path)
    link.set_defaults(act=_link)


def _export(args: argparse.Namespace) -> None:
    """Write the trunk as ONNX; torch and ONNX are loaded only for this."""
    from adapters.vit.backbone import load_backbone  # noqa: PLC0415
    from serving.onnx.export import export_trunk  # noqa: PLC0415
    from serving.onnx.int8 import export_int8, in_words  # noqa: PLC0415
    from serving.onnx.samples import read_samples  # noqa: PLC0415

    backbone = load_backbone(args.backbone, args.weights, pooling=args.pooling)
    if args.precision == "float32":
        export = export_trunk(backbone, args.out)
        print(f"largest relative difference from torch: {max(export.errors.values()):.1e}")
    else:
        samples = read_samples(backbone, args.store, args.images)
        export = export_int8(backbone, args.out, samples, args.floor)
        print(f"same best class as in float32: {in_words(export.agreement or {})}")
    print(
        f"wrote {args.out}; serve it with --set backend=onnx --set onnx={args.out} "
        f"--set precision={args.precision}"
    )


def _link(args: argparse.Namespace) -> None:
    """Make plain `torchserve --start` and `redis-server` work in the activated environment."""
    programs = {"java": java_home() / "bin" / "java", "redis-server": find_server()}
    for name, program in programs.items():
        link = args.bin / name
        if program is not None and not link.exists():
            link.symlink_to(program.resolve())
            print(f"{link} -> {program}")
