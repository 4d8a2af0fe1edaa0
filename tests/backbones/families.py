"""The smallest real architecture of each family of backbones."""

from typing import Final, NamedTuple


class Architecture(NamedTuple):
    """A backbone as `spt train` is told of it.

    Attributes:
        name: timm's.
        image_size: side of its input in pixels; few patches, for depth is what matters here.
    """

    name: str
    image_size: int


FAMILIES: Final = {
    "plain": Architecture("vit_tiny_patch16_224", 96),
    "dinov2": Architecture("vit_small_patch14_reg4_dinov2", 98),
    "clip": Architecture("vit_xsmall_patch16_clip_224", 96),
    "siglip": Architecture("vit_base_patch32_siglip_256", 128),
    "gap": Architecture("vit_wee_patch16_reg1_gap_256", 96),
    "distilled": Architecture("deit_tiny_distilled_patch16_224", 96),
    "dinov3": Architecture("vit_small_patch16_dinov3", 96),
    "eva02": Architecture("eva02_tiny_patch14_224", 98),
    "pe": Architecture("vit_pe_core_tiny_patch16_384", 96),
    "rope": Architecture("vit_small_patch16_rope_mixed_224", 96),
    "beit": Architecture("beit_base_patch16_224", 96),
    "aimv2": Architecture("aimv2_large_patch14_224", 98),
}
