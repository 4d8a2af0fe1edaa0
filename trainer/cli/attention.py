"""`python -m trainer attention`: where a trained adapter makes the backbone look."""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch

from adapters.artifact.codec import decode
from adapters.errors import BadImage
from adapters.vit.adapter import Adapter
from adapters.vit.backbone import Backbone, choose_device, load_backbone
from adapters.vit.pixels import crop_centre, decode_image, normalise
from trainer.errors import DataError
from trainer.figures.overlay import OverlayPanel, draw_overlays
from trainer.measures.attention import read_out_attention


def add_attention_command(commands: Any) -> None:
    """Add `attention` to the trainer's sub-commands."""
    command = commands.add_parser(
        "attention", help="draw the read-out's attention with and without an adapter's prompts"
    )
    command.add_argument("artifact", type=Path, help="a trained <task>.safetensors")
    command.add_argument("images", type=Path, nargs="+", help="JPEG, PNG or WebP files")
    command.add_argument("--weights", type=Path, help="local checkpoint of the backbone")
    command.add_argument("--out", type=Path, default=Path("attention.svg"), help=".svg or .png")
    command.set_defaults(act=_attention)


def _attention(args: argparse.Namespace) -> None:
    adapter = decode(_read(args.artifact))
    spec = adapter.meta.backbone
    backbone = load_backbone(
        spec.name,
        args.weights,
        device=choose_device(),
        pooling=spec.pooling,
        final_norm=spec.final_norm,
    )
    adapter.check_fits(backbone.spec)
    panels = [panel for path in args.images for panel in attention_panels(backbone, adapter, path)]
    print(f"wrote {draw_overlays(args.out, panels, columns=3)}")


def attention_panels(backbone: Backbone, adapter: Adapter, path: Path) -> list[OverlayPanel]:
    """Return an image, its attention in the last block without prompts, and with them.

    Args:
        backbone: the one the adapter was trained on.
        adapter: of any form; a bare head looks as the backbone does.
        path: of the image.

    Raises:
        DataError: the image cannot be read.
    """
    rule = adapter.meta.preprocessing
    try:
        crop = crop_centre(decode_image(_read(path)), rule)
    except BadImage as error:
        raise DataError(f"{path}: {error}") from error
    shown = torch.from_numpy(np.array(crop))
    pixels = normalise(np.asarray(crop), rule)[None].to(backbone.device)
    prompts = None if adapter.prompts is None else adapter.prompts.to(backbone.device)
    bare, prompted = (read_out_attention(backbone, p, pixels) for p in (None, prompts))
    share = float(prompted.prompt_share[0, -1])
    return [
        OverlayPanel(path.name, shown),
        OverlayPanel("without prompts", shown, bare.last_map[0].float().cpu()),
        OverlayPanel(f"with: {share:.0%} to prompts", shown, prompted.last_map[0].float().cpu()),
    ]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); check the path") from error
