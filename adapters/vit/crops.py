"""Images to the crops of their rules, on a device: the integers of the host, bit for bit.

Images of any sizes share every step, if their sums are alike in length. Each is a number of lines
along the axis that its rule resizes first; lines and pixels that no crop needs are not computed.
Axis letters: B batch, H W pixels, C side of a crop, N pixels, L lines, T U pixels of one sum.
"""

from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
import torch
from jaxtyping import Int32, Int64, UInt8
from torch import Tensor

from adapters.artifact.preprocessing import Preprocessing
from adapters.images.crop import plan_crop
from adapters.images.weights import BITS, HALF, Weights, weights_of
from adapters.vit.pixels import pick, place

_LINES_AT_ONCE: Final = 1 << 15
"""Whose sums are in memory at the same time: 150 MB where a crop has 224 pixels."""

_KEPT: Final = 128
"""Pairs of a size and a rule whose numbers are kept; 100 kB each for a usual photo."""


class _Lines(NamedTuple):
    """How images of one size are cropped: as lines along the axis that the rule resizes first.

    Attributes:
        along: of a line, the pixels of each sum; and `along_weights` their weights.
        across: of the lines that are needed, those of each sum; and `across_weights`.
        begins: where those lines begin in the image, in pixels.
        is_turned: whether lines are columns.
    """

    along: Int64[np.ndarray, "C T"]
    along_weights: Int32[np.ndarray, "C T"]
    across: Int64[np.ndarray, "C U"]
    across_weights: Int32[np.ndarray, "C U"]
    begins: Int64[np.ndarray, " L"]
    is_turned: bool

    @property
    def scale(self) -> int:
        """How many pixels the longest of its sums has, as a power of two."""
        return max(self.along.shape[1], self.across.shape[1]).bit_length()


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
    alike: dict[int, list[int]] = defaultdict(list)
    lines = [_lines(image.shape[:2], rule) for image, rule in zip(images, rules, strict=True)]
    for row, own in enumerate(lines):
        alike[own.scale].append(row)
    made = [
        _crop([images[row] for row in rows], [lines[row] for row in rows], device)
        for rows in alike.values()
    ]
    order = [row for rows in alike.values() for row in rows]
    return pick(_joined(made), np.argsort(order).tolist())


@lru_cache(_KEPT)
def _lines(shape: tuple[int, int], rule: Preprocessing) -> _Lines:
    height, width = shape
    plan = plan_crop((width, height), rule)
    x, y = (weights_of(axis, rule.interpolation) for axis in (plan.horizontal, plan.vertical))
    along, across = (y, x) if plan.vertical_first else (x, y)
    step, stride = (width, 1) if plan.vertical_first else (1, width)
    first, end = across.span
    return _Lines(
        step * _positions(along),
        along.weights,
        rule.crop * (_positions(across) - first),
        across.weights,
        stride * np.arange(first, end),
        plan.vertical_first,
    )


def _positions(weights: Weights) -> Int64[np.ndarray, "C T"]:
    """Return the pixels of each position's sum along the axis, held inside of what is needed."""
    taps = np.arange(weights.weights.shape[1])
    return (weights.first[:, None] + taps).clip(max=weights.span[1] - 1)


def _crop(
    images: Sequence[UInt8[np.ndarray, "_ _ 3"]], lines: Sequence[_Lines], device: torch.device
) -> UInt8[Tensor, "B C C 3"]:
    crop = len(lines[0].along)
    along, across = [], []
    pixel, line = 0, 0
    for image, own in zip(images, lines, strict=True):
        along.append(_Sums(pixel + own.begins, own.along, own.along_weights))
        columns = crop * line + np.arange(crop)
        across.append(_Sums(columns, own.across, own.across_weights))
        pixel, line = pixel + image.shape[0] * image.shape[1], line + len(own.begins)
    pixels = place([image.reshape(-1, 3) for image in images], device)
    between = _add_up(pixels, along).view(-1, 3)
    made = _add_up(between, across).view(-1, crop, crop, 3)
    turned = [own.is_turned for own in lines]
    if len(set(turned)) == 1:
        return made if turned[0] else made.transpose(1, 2)
    is_turned = place([np.array(turned)], device)
    return torch.where(is_turned[:, None, None, None], made, made.transpose(1, 2))


def _add_up(source: UInt8[Tensor, "N 3"], sums: Sequence[_Sums]) -> UInt8[Tensor, "L C 3"]:
    """Return the sums of all images, one image's lines after the other's."""
    lines = place([one.lines for one in sums], source.device)
    owners = np.repeat(np.arange(len(sums)), [len(one.lines) for one in sums])
    owner = place([owners], source.device)
    offsets = place([_filled([one.offsets for one in sums])], source.device)
    weights = place([_filled([one.weights for one in sums])], source.device)
    parts = zip(lines.split(_LINES_AT_ONCE), owner.split(_LINES_AT_ONCE), strict=True)
    return _joined([_add_up_part(source, *part, offsets, weights) for part in parts])


def _joined(parts: Sequence[Tensor]) -> Tensor:
    """Return parts one after the other; without a copy where there is one alone."""
    return parts[0] if len(parts) == 1 else torch.cat(list(parts))


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
