"""Pictures of one forward to its crops, 8 bits a pixel, by one copy to the device.

Axis letters: B batch, H W pixels.
"""

from collections.abc import Sequence

import torch
from jaxtyping import UInt8
from torch import Tensor

from adapters.artifact.preprocessing import Preprocessing
from adapters.images.crop import Picture
from adapters.vit.crops import crop_batch
from adapters.vit.pixels import pick, place


def stage(
    pictures: Sequence[Picture], rules: Sequence[Preprocessing], device: torch.device
) -> UInt8[Tensor, "B H W 3"]:
    """Return the crops on the device.

    Args:
        pictures: at least one; a whole one is cropped on the device.
        rules: one per picture, each with the same crop.
        device: the backbone's.
    """
    if not any(picture.is_whole for picture in pictures):
        return place([picture.pixels[None] for picture in pictures], device)
    # rows that ask several tasks about one image share it
    distinct = {(id(picture), rule): picture for picture, rule in zip(pictures, rules, strict=True)}
    left = [_left_to_do(picture, rule) for (_, rule), picture in distinct.items()]
    crops = crop_batch([picture.pixels for picture in distinct.values()], left, device)
    index = {key: i for i, key in enumerate(distinct)}
    chosen = [index[id(picture), rule] for picture, rule in zip(pictures, rules, strict=True)]
    return pick(crops, chosen)


def _left_to_do(picture: Picture, rule: Preprocessing) -> Preprocessing:
    """Return the rule, or of a crop the one that leaves every pixel as it is."""
    if picture.is_whole:
        return rule
    return rule.model_copy(update={"resize": "squash", "resize_size": rule.crop})
