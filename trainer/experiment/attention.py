"""Where a trained adapter makes the backbone look, image by image."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from adapters.artifact.backbone_spec import BackboneSpec
from adapters.errors import BadImage
from adapters.images.crop import crop_centre, decode_by_rule
from adapters.vit.adapter import Adapter, decode
from adapters.vit.backbone import Backbone, choose_device, load_backbone
from adapters.vit.pixels import normalise
from adapters.vit.prompting import Looks, one_row, where_it_looks
from trainer.errors import DataError
from trainer.page.overlay import Overlay, save_overlays


def draw_attention(artifact: Path, images: Sequence[Path], weights: Path | None, out: Path) -> Path:
    """Draw the panels of all images, three a row, and return the file's path.

    Args:
        artifact: of the adapter.
        images: at least one.
        weights: local checkpoint of the backbone; None for one that ships or is downloaded.
        out: ends in .svg or .png.

    Raises:
        DataError: the artifact or an image cannot be read, or `out` ends otherwise.
        SptError: the artifact is damaged or for another backbone, or the backbone cannot be had.
    """
    adapter = decode(_read(artifact))
    spec = adapter.meta.backbone
    backbone = load_backbone(
        spec.name,
        weights,
        image_size=spec.image_size,
        device=choose_device(),
        pooling=spec.pooling,
        final_norm=spec.final_norm,
    )
    adapter.check_fits(backbone.spec)
    panels = [panel for path in images for panel in attention_panels(backbone, adapter, path)]
    try:
        return save_overlays(out, panels)
    except ValueError as error:
        raise DataError(str(error)) from error


def attention_panels(backbone: Backbone, adapter: Adapter, path: Path) -> list[Overlay]:
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
        shown = crop_centre(decode_by_rule(_read(path), rule), rule)
    except BadImage as error:
        raise DataError(f"{path}: {error}") from error
    trunk, spec = backbone.trunk, adapter.meta.backbone
    pixels = normalise(shown, rule)[None].to(backbone.device, backbone.dtype)
    with torch.inference_mode():
        bare = where_it_looks(trunk, spec, pixels, None)
        prompted = where_it_looks(trunk, spec, pixels, one_row(trunk, adapter))
    return [
        Overlay(path.name, shown),
        Overlay("without prompts", shown, _map(bare, spec)),
        Overlay(f"with: {float(prompted.prompts):.0%} to prompts", shown, _map(prompted, spec)),
    ]


def _map(looks: Looks, spec: BackboneSpec) -> NDArray[np.float32]:
    side = spec.image_size // spec.patch_size
    found: NDArray[np.float32] = looks.patches.view(side, side).float().cpu().numpy()
    return found


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); check the path") from error
