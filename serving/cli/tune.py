"""`spt tune`: which backend is fastest on this machine; `spt serve` then takes that one."""

import argparse
import math
from pathlib import Path
from typing import TYPE_CHECKING

from adapters.artifact.backbone_spec import EMBEDDED
from adapters.streams import say
from serving.errors import ConfigError
from serving.tuning.choice import TUNED

if TYPE_CHECKING:
    from serving.tuning.choice import Choice


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `run` reads."""
    parser.add_argument(
        "--backbone", default=EMBEDDED, help="timm name of a ViT, see `spt backbones`"
    )
    parser.add_argument("--weights", type=Path, help="local checkpoint of the backbone")
    parser.add_argument(
        "--image-size", type=int, metavar="PIXELS", help="side of its input (default: its own)"
    )
    parser.add_argument(
        "--precision", choices=["float32", "bfloat16"], default="float32", help="of the trunk"
    )
    parser.add_argument(
        "--onnx", type=Path, default=Path("runs/onnx"), help="folder that `spt export` wrote"
    )
    parser.add_argument(
        "--seconds", type=_seconds, default=60.0, help="of all turns, after everything is warm"
    )
    parser.add_argument("--out", type=Path, default=TUNED, help="where the choice is kept")
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")


def run(args: argparse.Namespace) -> int:
    """Measure, choose, and write the choice down.

    Raises:
        ConfigError: the trunk would run on a GPU, where nothing is to be chosen.
        SptError: the backbone or its weights cannot be read.
    """
    import torch

    from adapters.vit.backbone import choose_device, load_backbone
    from serving.trunk.allocator import disable_malloc_trim
    from serving.tuning.choice import Choice, this_machine, write_choice
    from serving.tuning.contest import candidates, choose, measure, prepare

    if choose_device().type != "cpu":
        raise ConfigError("`spt tune` compares backends of the CPU; on a GPU torch compiles")
    disable_malloc_trim()
    torch.set_float32_matmul_precision("highest")
    backbone, export = (
        load_backbone(args.backbone, args.weights, image_size=args.image_size),
        args.onnx.absolute(),
    )

    def told(line: str) -> None:
        say(line, stream="stderr")

    measured = measure(dict(prepare(backbone, args.precision, export, told)), args.seconds, told)
    chosen, why = choose(measured)
    choice = Choice(
        machine=this_machine(),
        backbone=backbone.spec,
        precision=args.precision,
        measured=measured,
        chosen=chosen,
        why=why,
        **candidates(export)[chosen],
    )
    write_choice(choice, args.out)
    _show(choice, args.out, is_json=args.json)
    return 0


def _show(choice: "Choice", path: Path, *, is_json: bool) -> None:
    if is_json:
        print(choice.model_dump_json(indent=1))
        return
    say(f"{'backend':10} {'images/s':>9} {'over eager':>11} {'quartiles':>14} {'start':>7}")
    for name, found in choice.measured.items():
        spread = f"{found.low:.2f} to {found.high:.2f}"
        say(
            f"{name:10} {found.images_per_s:9.1f} {found.ratio:11.2f} {spread:>14} "
            f"{found.start_s:5.0f} s"
        )
    say(choice.why)
    say(f"wrote {path}; `spt serve` takes it unless backend or compile is set")


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise argparse.ArgumentTypeError(f"expected seconds above 0, found {text!r}")
    return seconds
