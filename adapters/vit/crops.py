"""Images to the crops of their rules, on a device: the integers of the host, bit for bit.

Images of any sizes share every step, if their sums are alike in length. Each is a number of lines
along the axis that its rule resizes first; lines and pixels that no crop needs are not computed.
Axis letters: B batch, H W pixels, C side of a crop, N pixels, L lines, T pixels of one sum.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import torch
from jaxtyping import Int32, Int64, UInt8
from torch import Tensor

from adapters.artifact.preprocessing import Preprocessing
from adapters.images.crop import plan_crop
from adapters.images.weights import BITS, HALF, Weights, weights_of
from adapters.vit.pixels import place

_LINES_AT_ONCE: Final = 1 << 15
"""Whose sums are in memory at the same time: 150 MB where a crop has 224 pixels."""


class _Lines(NamedTuple):
    """One image, as lines along the axis that its rule resizes first.

    Attributes:
        pixels: of the whole image, `[H * W, 3]`.
        along: the weights of that axis.
        across: those of the other, which say what lines are needed.
        step: pixels from one of a line to its next, and `stride` from a line to the next.
        is_turned: whether lines are columns.
    """

    pixels: UInt8[np.ndarray, "N 3"]
    along: Weights
    across: Weights
    step: int
    stride: int
    is_turned: bool

    @property
    def scale(self) -> int:
        """How many pixels the longest of its sums has, as a power of two."""
        return max(one.weights.shape[1] for one in (self.along, self.across)).bit_length()


class _Sums(NamedTuple):
    """Of one image and one axis: at each of its lines, C weighted sums of T pixels.

    Attributes:
        lines: where each line begins, in pixels.
        offsets: of a sum's pixels from there; those without weight lie anywhere inside.
        weights: of those pixels.
    """

    lines: Int64[np.ndarray, " L"]
    offsets: Int64[np.ndarray, "C T"]
    weights: Int32[np.ndarray, "C T"]


def crop_batch(
    images: Sequence[UInt8[np.ndarray, "_ _ 3"]],
    rules: Sequence[Preprocessing],
    device: torch.device,
) -> UInt8[Tensor, "B C C 3"]:
    """Return each image's crop by its rule, as `crop_centre` makes it, computed on the device.

    Args:
        images: upright RGB, of any sizes; one at least.
        rules: one per image, all with crops of the same size.
        device: where the crops are to be.
    """
    alike: dict[int, list[tuple[int, _Lines]]] = defaultdict(list)
    for row, (image, rule) in enumerate(zip(images, rules, strict=True)):
        lines = _lines_of(image, rule)
        alike[lines.scale].append((row, lines))
    crop = rules[0].crop
    made = torch.cat([_crop([lines for _, lines in same], crop, device) for same in alike.values()])
    order = [row for same in alike.values() for row, _ in same]
    return made[place([np.argsort(order)], device)]


def _lines_of(image: UInt8[np.ndarray, "_ _ 3"], rule: Preprocessing) -> _Lines:
    height, width, _ = image.shape
    plan = plan_crop((width, height), rule)
    x, y = (weights_of(axis, rule.interpolation) for axis in (plan.horizontal, plan.vertical))
    pixels = image.reshape(-1, 3)
    if plan.vertical_first:
        return _Lines(pixels, y, x, step=width, stride=1, is_turned=True)
    return _Lines(pixels, x, y, step=1, stride=width, is_turned=False)


def _crop(images: Sequence[_Lines], crop: int, device: torch.device) -> UInt8[Tensor, "B C C 3"]:
    along, across = [], []
    pixel, line = 0, 0
    for one in images:
        first, end = one.across.span
        begins = pixel + one.stride * np.arange(first, end)
        along.append(_Sums(begins, one.step * _positions(one.along), one.along.weights))
        needed = _positions(one.across) - first
        across.append(_Sums(crop * line + np.arange(crop), crop * needed, one.across.weights))
        pixel, line = pixel + len(one.pixels), line + end - first
    pixels = place([one.pixels for one in images], device)
    between = _add_up(pixels, along).view(-1, 3)
    made = _add_up(between, across).view(-1, crop, crop, 3)
    is_turned = place([np.array([one.is_turned for one in images])], device)
    return torch.where(is_turned[:, None, None, None], made, made.transpose(1, 2))


def _positions(weights: Weights) -> Int64[np.ndarray, "C T"]:
    """Return the pixels of each position's sum along the axis, held inside of what is needed."""
    taps = np.arange(weights.weights.shape[1])
    return (weights.first[:, None] + taps).clip(max=weights.span[1] - 1)


def _add_up(source: UInt8[Tensor, "N 3"], sums: Sequence[_Sums]) -> UInt8[Tensor, "L C 3"]:
    """Return the sums of all images, one image's lines after the other's."""
    lines = place([one.lines for one in sums], source.device)
    owners = np.repeat(np.arange(len(sums)), [len(one.lines) for one in sums])
    owner = place([owners], source.device)
    offsets = place([_filled([one.offsets for one in sums])], source.device)
    weights = place([_filled([one.weights for one in sums])], source.device)
    parts = zip(lines.split(_LINES_AT_ONCE), owner.split(_LINES_AT_ONCE), strict=True)
    return torch.cat([_add_up_part(source, *part, offsets, weights) for part in parts])


def _add_up_part(
    source: UInt8[Tensor, "N 3"],
    lines: Int64[Tensor, " L"],
    owner: Int64[Tensor, " L"],
    offsets: Int64[Tensor, "B C T"],
    weights: Int32[Tensor, "B C T"],
) -> UInt8[Tensor, "L C 3"]:
    shape = (len(lines), offsets.shape[1], 3)
    total = torch.full(shape, HALF, dtype=torch.int32, device=source.device)
    for tap in range(offsets.shape[2]):
        pixels = source[lines[:, None] + offsets[owner, :, tap]]
        total += pixels * weights[owner, :, tap, None]
    return (total >> BITS).clamp_(0, 255).to(torch.uint8)


def _filled(tables: Sequence[np.ndarray]) -> np.ndarray:
    """Return tables `[C, T]` as one `[B, C, T]` of the longest T, filled up with zeros."""
    most = max(table.shape[1] for table in tables)
    filled = np.zeros((len(tables), len(tables[0]), most), tables[0].dtype)
    for own, table in zip(filled, tables, strict=True):
        own[:, : table.shape[1]] = table
    return filled
