"""How well trained tasks tell the images of each other from their own, by every score.

`python -m tests.bench.unknown_images --data DATA --weights FILE ARTIFACT…`, with artifacts that
were trained on one backbone with `unknown.score=distance`. For each pair of them: how often a test
image of the one has a higher score than one of the other has, both under the one's prompts (AUROC).
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import get_args

import numpy as np
import torch
from jaxtyping import Float

from adapters.artifact.unknown import ScoreName, known_score
from adapters.vit.adapter import Adapter, decode
from adapters.vit.backbone import Backbone, load_backbone
from trainer.confidence.unknown import auroc
from trainer.data.load import load_task
from trainer.methods.classifier import Classifier
from trainer.methods.prompted import PromptedClassifier
from trainer.training.features import features_of
from trainer.training.images import ImageSet

BATCH = 32

Scores = dict[ScoreName, Float[np.ndarray, " N"]]


def main() -> None:
    """Print one line of JSON per pair, and the means."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("artifacts", nargs="+", type=Path)
    parser.add_argument("--data", required=True, type=Path, help="folder of the tasks' folders")
    parser.add_argument("--weights", required=True, type=Path, help="of the backbone")
    parser.add_argument("--images", type=int, default=150, help="test images of each task, at most")
    args = parser.parse_args()
    adapters = [decode(path.read_bytes()) for path in args.artifacts]
    backbone = load_backbone(adapters[0].meta.backbone.name, args.weights)
    images = {
        adapter.meta.task.id: some_images(adapter.meta.task.id, args.data, backbone, args.images)
        for adapter in adapters
    }
    found = [pair for adapter in adapters for pair in pairs_of(adapter, backbone, images)]
    for pair in found:
        print(json.dumps(pair), flush=True)
    means = {
        name: round(float(np.mean([pair[name] for pair in found])), 3)
        for name in get_args(ScoreName)
    }
    print(json.dumps({"pairs": len(found)} | means))


def some_images(task: str, data: Path, backbone: Backbone, most: int) -> ImageSet:
    """Return test images of a task, drawn by a seed."""
    samples = load_task(task, data).test
    drawn = sorted(np.random.default_rng(0).permutation(len(samples))[:most])
    return ImageSet([samples[place] for place in drawn], backbone.preprocessing)


def pairs_of(
    adapter: Adapter, backbone: Backbone, images: Mapping[str, ImageSet]
) -> Sequence[dict[str, str | float]]:
    """Return how well a task tells each other one's images from its own."""
    task = adapter.meta.task.id
    scores = {name: scores_of(adapter, backbone, one) for name, one in images.items()}
    rule = adapter.meta.unknown
    assert rule is not None
    return [
        {"task": task, "other": other}
        | {name: round(auroc(scores[task][name], theirs[name]), 3) for name in theirs}
        | {
            "rejected": round(float((theirs[rule.score] < rule.threshold).mean()), 3),
            "falsely": round(float((scores[task][rule.score] < rule.threshold).mean()), 3),
        }
        for other, theirs in scores.items()
        if other != task
    ]


def scores_of(adapter: Adapter, backbone: Backbone, images: ImageSet) -> Scores:
    """Return every score of images under an adapter's prompts."""
    classes = len(adapter.head_bias)
    model = (
        Classifier(backbone, classes)
        if adapter.prompts is None
        else PromptedClassifier(backbone, classes, adapter.prompts)
    )
    features, _ = features_of(model, images, BATCH)
    logits = torch.addmm(adapter.head_bias, features, adapter.head_weight.T).numpy()
    assert adapter.spread is not None
    distance = adapter.spread.distance(features.numpy())
    return {
        name: known_score(name, logits, adapter.meta.temperature, distance)
        for name in get_args(ScoreName)
    }


if __name__ == "__main__":
    main()
