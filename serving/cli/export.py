"""`spt export`: the frozen trunk as ONNX, or a task as a torch program or a folder of the hub.

A trunk is compared before it is written; in FP8 it is only said how far it is off.
"""

import argparse
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from adapters.artifact.backbone_spec import EMBEDDED, Pooling
from adapters.program import UsageError
from adapters.streams import say
from serving.config import INSTALL_OPENVINO, LEAST_AGREEMENT
from serving.errors import ConfigError

if TYPE_CHECKING:
    from serving.onnx.int8 import Rounding


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `run` reads."""
    parser.add_argument(
        "artifact",
        type=Path,
        nargs="?",
        help="a trained <task>.safetensors, for torch, huggingface",
    )
    parser.add_argument(
        "--to",
        choices=["onnx", "torch", "huggingface"],
        default="onnx",
        help="onnx: the trunk, for all tasks; torch: one task, backbone and all, which torch alone "
        "runs; huggingface: one task's folder for the hub",
    )
    parser.add_argument(
        "--backbone", default=EMBEDDED, help="timm name of a ViT, see `spt backbones`"
    )
    parser.add_argument("--weights", type=Path, help="local checkpoint of the backbone")
    parser.add_argument(
        "--image-size", type=int, metavar="PIXELS", help="side of its input (default: its own)"
    )
    parser.add_argument(
        "--pooling", choices=get_args(Pooling), help="default: that of the backbone's family"
    )
    parser.add_argument(
        "--precision",
        choices=["float32", "int8", "fp8"],
        default="float32",
        help="of the products; fp8 measures on this GPU, which serves the trunk as it is",
    )
    parser.add_argument(
        "--runtime",
        choices=["onnx", "openvino"],
        default="onnx",
        help="that is to serve int8, which each computes in its own way; openvino needs the extra "
        "`cpu`",
    )
    parser.add_argument(
        "--out", type=Path, help="the export's folder (default: runs/onnx, or runs/export/TASK)"
    )
    parser.add_argument("--store", type=Path, default=Path("runs/store"), help="tasks to compare")
    parser.add_argument("--images", type=Path, default=Path("data"), help="with a folder per task")
    parser.add_argument(
        "--floor", type=float, default=LEAST_AGREEMENT, help="least agreement of any task"
    )


def run(args: argparse.Namespace) -> int:
    """Write the export, and say how near it is and how to serve it.

    Raises:
        ExportError: the trunk cannot be exported, or a task would be answered otherwise too often.
        SptError: the backbone, its weights, the artifact or the store cannot be read, or fp8 has no
            device.
        UsageError: an artifact is asked for and not named, or named and not asked for.
    """
    if (args.artifact is None) != (args.to == "onnx"):
        raise UsageError(
            "name an artifact with --to torch or --to huggingface, and none for the trunk as ONNX"
        )
    if args.artifact is not None:
        return _export_task(args)
    args.out = args.out or Path("runs/onnx")
    if args.precision == "fp8":
        return _measure_fp8(args)
    from adapters.vit.backbone import load_backbone
    from serving.onnx.export import export_trunk
    from serving.onnx.int8 import export_int8
    from serving.onnx.samples import read_samples
    from serving.rounding.agreement import in_words

    backbone = load_backbone(
        args.backbone, args.weights, image_size=args.image_size, pooling=args.pooling
    )
    if args.precision == "float32":
        export = export_trunk(backbone, args.out)
        say(f"largest relative difference from torch: {max(export.errors.values()):.1e}")
    else:
        samples = read_samples(backbone, args.store, args.images)
        export = export_int8(backbone, args.out, samples, args.floor, _rounding(args.runtime))
        say(f"same best class as in float32: {in_words(export.agreement or {})}")
    say(
        f"wrote {args.out}; serve it with --set backend={args.runtime} --set onnx={args.out} "
        f"--set precision={args.precision}"
    )
    return 0


def _rounding(runtime: str) -> "Rounding":
    """Return how a runtime computes in int8.

    Raises:
        ConfigError: it is not installed.
    """
    from serving.onnx.int8 import ONNX_RUNTIME

    if runtime == "onnx":
        return ONNX_RUNTIME
    if find_spec("openvino") is None:
        raise ConfigError(f"runtime openvino is not installed; {INSTALL_OPENVINO}")
    from serving.openvino.int8 import OPENVINO

    return OPENVINO


def _export_task(args: argparse.Namespace) -> int:
    from adapters.artifact.codec import decode_meta
    from adapters.exchange.hub import write_hub

    data = args.artifact.read_bytes()
    meta = decode_meta(data)
    out = args.out or Path("runs/export") / meta.task.id
    if args.to == "huggingface":
        write_hub(data, out)
        say(f"wrote {out}; upload the folder as a model repository of the hub")
        return 0
    from adapters.exchange.torch_program import write_program
    from adapters.vit.backbone import load_backbone

    spec = meta.backbone
    backbone = load_backbone(
        spec.name,
        args.weights,
        image_size=spec.image_size,
        pooling=spec.pooling,
        final_norm=spec.final_norm,
    )
    error = write_program(backbone, data, out)
    say(f"largest difference of logits from ours, relative to the largest: {error:.1e}")
    say(f"wrote {out}; see its README.md and predict.py")
    return 0


def _measure_fp8(args: argparse.Namespace) -> int:
    import torch

    from adapters.vit.backbone import choose_device, load_backbone
    from serving.onnx.samples import read_samples
    from serving.rounding.agreement import in_words
    from serving.rounding.fp8 import require_fp8
    from serving.rounding.measurement import measure_fp8

    device = choose_device()
    require_fp8(device)
    backbone = load_backbone(
        args.backbone,
        args.weights,
        image_size=args.image_size,
        device=device,
        dtype=torch.bfloat16,
        pooling=args.pooling,
    )
    samples = read_samples(backbone, args.store, args.images)
    found = measure_fp8(backbone, args.out, samples, args.floor)
    say(f"same best class as in bfloat16: {in_words(found.agreement)}")
    say(f"wrote {args.out}; serve it with --set precision=fp8 --set fp8={args.out}")
    return 0
