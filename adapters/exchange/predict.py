"""Says of images what the task says, by the program next to this file.

`python predict.py photo.jpg`

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
    """Return the square that the program takes, uint8 [S, S, 3]: the service's own pixels."""
    side, (width, height) = rule["resize_size"], image.size
    if rule["resize"] == "squash":
        wide, high = side, side
    elif width <= height:
        wide, high = side, int(side * height / width)
    else:
        wide, high = int(side * width / height), side
    how, crop = Image.Resampling[rule["interpolation"].upper()], rule["crop"]
    vertical_first = height - high > max(0, 2 * (width - wide))
    between = (width, high) if vertical_first else (wide, height)
    image = image.resize(between, how).resize((wide, high), how)
    left, top = start(wide, crop), start(high, crop)
    return np.asarray(image.crop((left, top, left + crop, top + crop)))


def start(side: int, crop: int) -> int:
    """Return where the centre begins; a side that is too short is padded with black."""
    return round((side - crop) / 2) if side >= crop else -((crop - side) // 2)


def said(logits: torch.Tensor, about: dict[str, Any]) -> str:
    """Return what logits [C] say: a class and its score, all that are there, or a number."""
    target, names = about.get("target") or {}, about["task"]["class_names"]
    logits = logits.double()
    kind, scaled = target.get("kind"), logits / about["temperature"]
    if kind == "regression":
        return f"{target['mean'] + target['scale'] * float(logits[0]):.6g}"
    if kind == "multi-label":
        scores = scaled.sigmoid().tolist()
        rows = zip(names, scores, target["thresholds"], strict=True)
        return ", ".join(f"{name} {score:.4f}" for name, score, least in rows if score >= least)
    scores = scaled.softmax(dim=0)
    best = int(scores.argmax())
    found = f"{names[best]} {float(scores[best]):.4f}"
    if kind == "ordinal":
        found += f" {sum(map(float, scores * torch.tensor(target['values']))):.6g}"
    return found


def main(paths: list[str]) -> None:
    """Print what the program says of each image."""
    about = json.loads((HERE / "task.json").read_text(encoding="utf-8"))
    model = torch.export.load(HERE / "program.pt2").module()
    for path in paths:
        image = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
        crop = torch.from_numpy(crop_of(image, about["preprocessing"]).copy())
        print(f"{path}: {said(model(crop[None])[0], about)}")


if __name__ == "__main__":
    main(sys.argv[1:])
