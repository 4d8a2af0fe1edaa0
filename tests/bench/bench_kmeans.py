"""What k-means over all patch tokens of all layers costs beside the forward pass, and how good."""

import resource
import time
from collections.abc import Iterator

import torch
from sklearn.cluster import KMeans
from torch import Tensor

from adapters.backbone import Backbone
from tests.bench.measure import Spread
from tests.bench.models import NUM_PROMPTS, TINY, make_backbone
from tests.bench.result import Result, Settings
from trainer.data.load import load_task
from trainer.images import ImageSet, batches
from trainer.inits.block_inputs import feed
from trainer.inits.cluster import KEPT_BYTES, ClusterMeans
from trainer.inits.lloyd import assign

TASK, IMAGES = "shapes", 1000
BATCH = 32


class _Ignored:
    """A collector that collects nothing: the forward pass alone."""

    def add(self, tokens: Tensor) -> None:
        pass

    def finish(self) -> Tensor:
        return torch.zeros(0, 0)

    def facts(self) -> dict[str, object]:
        return {}


class _All(_Ignored):
    """A collector that keeps every token, for scikit-learn."""

    def __init__(self) -> None:
        self.rows: list[Tensor] = []

    def add(self, tokens: Tensor) -> None:
        self.rows.append(tokens.flatten(0, 1).clone())


def run(settings: Settings) -> Result:
    """Time both in turns, then compare inertia with scikit-learn's on three layers."""
    backbone = make_backbone(TINY, settings.weights)
    samples = load_task(TASK, None).train[: 100 if settings.short else IMAGES]
    images = ImageSet(samples, backbone.preprocessing).load()
    result = Result("kmeans", notes=_notes(len(samples), settings))
    shares, memory = [], 0.0
    for number in range(2 if settings.short else 5):
        forward, clustering, grown = _round(backbone, images)
        shares.append(clustering / forward)
        memory = max(memory, grown)
        figures = {"forward_s": forward, "clustering_s": clustering, "share": clustering / forward}
        result.rows.append({"round": number} | figures)
    result.add_ratio("clustering_over_forward", Spread.of(shares))
    result.ratios["extra_memory_gib"] = round(memory / (1 << 30), 3)
    _compare(result, backbone, images)
    return result


def _round(backbone: Backbone, images: ImageSet) -> tuple[float, float, float]:
    layers = range(backbone.spec.depth)
    began = time.perf_counter()
    feed(backbone, _pixels(images), dict.fromkeys(layers, _Ignored()), layer0_position=True)
    forward = time.perf_counter() - began
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    began = time.perf_counter()
    _cluster(backbone, images)
    both = time.perf_counter() - began
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before
    return forward, both - forward, grown


def _cluster(backbone: Backbone, images: ImageSet) -> list[Tensor]:
    depth = backbone.spec.depth
    means = {
        layer: ClusterMeans(NUM_PROMPTS, KEPT_BYTES // depth, torch.Generator().manual_seed(0))
        for layer in range(depth)
    }
    feed(backbone, _pixels(images), means, layer0_position=True)
    return [means[layer].finish() for layer in range(depth)]


def _compare(result: Result, backbone: Backbone, images: ImageSet) -> None:
    centres = _cluster(backbone, images)
    for layer in (0, backbone.spec.depth // 2, backbone.spec.depth - 1):
        kept = _All()
        feed(backbone, _pixels(images), {layer: kept}, layer0_position=True)
        rows = torch.cat(kept.rows).cpu()
        ours = float(assign(rows, centres[layer].cpu())[1].double().sum())
        theirs = KMeans(NUM_PROMPTS, n_init=1, random_state=0).fit(rows.numpy()).inertia_
        result.ratios[f"inertia_over_scikit_learn_layer_{layer}"] = round(ours / theirs, 4)


def _pixels(images: ImageSet) -> Iterator[Tensor]:
    for pixels, _ in batches(images, BATCH):
        yield pixels


def _notes(count: int, settings: Settings) -> list[str]:
    weights = "random weights" if settings.weights is None else "pre-trained weights"
    return [
        f"{TINY}, {weights}, {count} images of the built-in task {TASK}: 196 tokens of each in "
        f"12 layers, {NUM_PROMPTS} clusters a layer, float32",
        "clustering: a pass with k-means less one without, in turns; goal: no more than the pass",
        "inertia over scikit-learn's KMeans (k-means++, one start) on all tokens of a layer",
        "extra memory: growth of the peak of the process while clustering",
    ]
