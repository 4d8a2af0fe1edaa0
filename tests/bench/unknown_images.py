"""How well tasks tell the images of each other from their own, by every score.

`python -m tests.bench.unknown_images --data DATA --backbone NAME --weights FILE TASK…` fits a head
and a spread to the frozen features of each task's training images, and a temperature and thresholds
to its validation images. For each pair it tells how often a test image of the one has a higher
score than one of the other (AUROC). Features are computed in bfloat16.
"""

import argparse
import json
from pathlib import Path
from typing import Final, NamedTuple, get_args

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from adapters.artifact.unknown import ScoreName, known_score
from adapters.vit.backbone import Backbone, load_backbone
from trainer.confidence.calibration import calibrate
from trainer.confidence.spread import fit_spread
from trainer.confidence.unknown import auroc, choose_threshold
from trainer.data.load import load_task
from trainer.methods.classifier import Classifier
from trainer.training.features import features_of
from trainer.training.head_start import fit_head
from trainer.training.images import ImageSet

BATCH: Final = 50
SHARE: Final = 0.05
NAMES: Final = get_args(ScoreName)


class Seen(NamedTuple):
    """Images of one split, as the trunk sees them."""

    features: Float[Tensor, "N D"]
    labels: Int64[Tensor, " N"]


def main() -> None:
    """Print one line of JSON per pair, and the means."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tasks", nargs="+")
    parser.add_argument("--data", required=True, type=Path, help="folder of the tasks' folders")
    parser.add_argument("--backbone", required=True)
    parser.add_argument("--weights", required=True, type=Path)
    parser.add_argument("--images", type=int, default=150, help="test images of each task, at most")
    args = parser.parse_args()
    backbone = load_backbone(args.backbone, args.weights)
    seen = {task: see(task, args.data, backbone, args.images) for task in args.tasks}
    found = [pair for task in args.tasks for pair in pairs_of(task, seen, backbone)]
    for pair in found:
        print(json.dumps(pair))
    means = {name: round(float(np.mean([pair[name] for pair in found])), 3) for name in NAMES}
    print(json.dumps({"pairs": len(found)} | means))


def see(task: str, data: Path, backbone: Backbone, most: int) -> dict[str, Seen]:
    """Return the features of a task's images; of its test images some, drawn by a seed."""
    found = load_task(task, data)
    drawn = sorted(np.random.default_rng(0).permutation(len(found.test))[:most])
    splits = {"train": found.train, "val": found.val, "test": [found.test[i] for i in drawn]}
    model, rule = Classifier(backbone, 1), backbone.preprocessing
    with torch.autocast("cpu", torch.bfloat16):
        seen = {
            name: features_of(model, ImageSet(samples, rule), BATCH)
            for name, samples in splits.items()
        }
    return {name: Seen(features.float(), labels) for name, (features, labels) in seen.items()}


def pairs_of(
    task: str, seen: dict[str, dict[str, Seen]], backbone: Backbone
) -> list[dict[str, str | float]]:
    """Return how well a task tells each other one's images from its own."""
    training, validation, test = (seen[task][name] for name in ("train", "val", "test"))
    head = Classifier(backbone, int(training.labels.max()) + 1).head
    fit_head(head, training.features, training.labels)
    calibration = calibrate(head(validation.features).detach(), validation.labels).calibration
    temperature = 1.0 if calibration is None else calibration.temperature
    spread = fit_spread(training.features.numpy())

    def scored(name: ScoreName, images: Seen) -> Float[np.ndarray, " N"]:
        logits = head(images.features).detach().numpy()
        return known_score(name, logits, temperature, spread.distance(images.features.numpy()))

    rule = choose_threshold("distance", scored("distance", validation), SHARE)
    return [
        {"task": task, "other": other}
        | {
            name: round(auroc(scored(name, test), scored(name, theirs["test"])), 3)
            for name in NAMES
        }
        | {
            "falsely": round(float((scored("distance", test) < rule.threshold).mean()), 3),
            "rejected": round(
                float((scored("distance", theirs["test"]) < rule.threshold).mean()), 3
            ),
        }
        for other, theirs in seen.items()
        if other != task
    ]


if __name__ == "__main__":
    main()
