"""Names an image by the program next to this file: `python predict.py photo.jpg`.

Needs torch, numpy and Pillow alone; it is copied into every exported folder.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps

HERE = Path(__file__).parent


def crop_of(image: Image.Image, rule: dict[str, Any]) -> np.ndarray:
    """Return the square that the program takes, uint8 [S, S, 3]."""
    size, crop = rule["resize_size"], rule["crop"]
    if rule["resize"] == "squash":
        sides = (size, size)
    else:
        scale = size / min(image.size)
        sides = (round(image.width * scale), round(image.height * scale))
    image = image.resize(sides, Image.Resampling[rule["interpolation"].upper()])
    left, top = (image.width - crop) // 2, (image.height - crop) // 2
    return np.asarray(image.crop((left, top, left + crop, top + crop)))


def main(paths: list[str]) -> None:
    """Print the best class of each image, and its score."""
    about = json.loads((HERE / "task.json").read_text(encoding="utf-8"))
    model = torch.export.load(HERE / "program.pt2").module()
    for path in paths:
        image = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
        crop = torch.from_numpy(crop_of(image, about["preprocessing"]).copy())
        scores = (model(crop[None])[0] / about["temperature"]).softmax(dim=0)
        best = int(scores.argmax())
        print(f"{path}: {about['task']['class_names'][best]} {float(scores[best]):.4f}")


if __name__ == "__main__":
    main(sys.argv[1:])
