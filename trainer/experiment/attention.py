"""Where a trained adapter makes the backbone look, image by image."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from adapters.errors import BadImage
from adapters.images.crop import crop_centre, decode_by_rule
from adapters.vit.adapter import Adapter, decode
from adapters.vit.backbone import Backbone, choose_device, load_backbone
from adapters.vit.pixels import normalise
from trainer.errors import DataError
from trainer.measures.attention import ReadOutAttention, read_out_attention
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
    if more := adapter.tensors.keys() & {"keys_values", "biases"}:
        raise DataError(
            f"{artifact}: its method has {' and '.join(sorted(more))} next to prompts, but this "
            "picture is of prompts alone; choose an artifact of another method"
        )
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
    pixels = normalise(shown, rule)[None].to(backbone.device)
    prompts = None if adapter.prompts is None else adapter.prompts.to(backbone.device)
    bare, prompted = (read_out_attention(backbone, p, pixels) for p in (None, prompts))
    share = float(prompted.prompt_share[0, -1])
    return [
        Overlay(path.name, shown),
        Overlay("without prompts", shown, _map(bare)),
        Overlay(f"with: {share:.0%} to prompts", shown, _map(prompted)),
    ]


def _map(attention: ReadOutAttention) -> NDArray[np.float32]:
    found: NDArray[np.float32] = attention.last_map[0].float().cpu().numpy()
    return found


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); check the path") from error
