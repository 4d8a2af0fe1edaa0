"""CIFAR-10 as tensors, for pre-training and probing the embedded backbone.

Reads either public form of the data: the official binary archive (`data_batch_1.bin` …, one label
byte and 3,072 pixel bytes per image) or lossless PNG sheets (`data_batch_1.png` …, one image per
row of 32·32 RGB pixels, labels in `train_lables.json` and `test_lables.json`).
"""

import json
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from PIL import Image
from torch import Tensor

from trainer.errors import DataError

SIDE = 32
IMAGES_PER_FILE = 10_000
_TRAIN = [f"data_batch_{i}" for i in range(1, 6)]
_TEST = ["test_batch"]


def load_cifar10(
    folder: Path, split: str
) -> tuple[UInt8[Tensor, "B 3 32 32"], Int64[Tensor, " B"]]:
    """Read all images and labels of one split.

    Args:
        folder: holds the `.bin` files of the official archive or the `.png` sheets.
        split: `"train"` (50,000 images) or `"test"` (10,000).

    Raises:
        DataError: a file is missing or has the wrong size.
    """
    names = {"train": _TRAIN, "test": _TEST}[split]
    try:
        if (folder / f"{names[0]}.png").exists():
            images, labels = _read_sheets(folder, names, split)
        else:
            images, labels = _read_binary(folder, names)
    except FileNotFoundError as error:
        raise DataError(
            f"CIFAR-10: {error.filename} is missing; unpack the official 'CIFAR-10 binary "
            f"version' (cifar-10-binary.tar.gz) in {folder}"
        ) from error
    return torch.from_numpy(images), torch.from_numpy(labels)


def _read_binary(folder: Path, names: list[str]) -> tuple[np.ndarray, np.ndarray]:
    record = 1 + 3 * SIDE * SIDE
    rows = []
    for name in names:
        raw = np.frombuffer((folder / f"{name}.bin").read_bytes(), np.uint8)
        if raw.size != IMAGES_PER_FILE * record:
            raise DataError(
                f"CIFAR-10: {folder / name}.bin has {raw.size} bytes, expected "
                f"{IMAGES_PER_FILE * record}; fetch the archive again"
            )
        rows.append(raw.reshape(IMAGES_PER_FILE, record))
    table = np.concatenate(rows)
    images = table[:, 1:].reshape(-1, 3, SIDE, SIDE)
    return np.ascontiguousarray(images), table[:, 0].astype(np.int64)


def _read_sheets(folder: Path, names: list[str], split: str) -> tuple[np.ndarray, np.ndarray]:
    sheets = []
    for name in names:
        with Image.open(folder / f"{name}.png") as sheet:
            if sheet.size != (SIDE * SIDE, IMAGES_PER_FILE):
                raise DataError(
                    f"CIFAR-10: {folder / name}.png is {sheet.size}, expected "
                    f"({SIDE * SIDE}, {IMAGES_PER_FILE}): one image per row"
                )
            sheets.append(np.asarray(sheet.convert("RGB")))
    pixels = np.concatenate(sheets).reshape(-1, SIDE, SIDE, 3).transpose(0, 3, 1, 2)
    labels = json.loads((folder / f"{split}_lables.json").read_text(encoding="utf-8"))
    if len(labels) != len(pixels):
        raise DataError(f"CIFAR-10: {len(labels)} labels for {len(pixels)} images in {folder}")
    return np.ascontiguousarray(pixels), np.asarray(labels, np.int64)
