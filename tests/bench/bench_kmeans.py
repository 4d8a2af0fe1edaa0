"""What k-means over all patch tokens of all layers costs beside the forward pass, and how good."""

import resource
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from sklearn.cluster import KMeans
from torch import Tensor

from adapters.vit.backbone import Backbone
from tests.bench.measure import Spread
from tests.bench.models import NUM_PROMPTS, TINY, make_backbone
from tests.bench.result import Result, Settings
from trainer.data.load import load_task
from trainer.inits.block_inputs import feed
from trainer.inits.cluster import KEPT_BYTES, ClusterMeans
from trainer.inits.lloyd import assign
from trainer.training.images import ImageSet, batches

TASK, IMAGES = "shapes", 1000
BATCH = 32


class _Timed:
    """K-means of one layer that knows how long it took."""

    def __init__(self, means: ClusterMeans) -> None:
        self._means = means
        self.seconds = 0.0

    def add(self, tokens: Tensor) -> None:
        self._time(lambda: self._means.add(tokens))

    def finish(self) -> Tensor:
        return self._time(self._means.finish)

    def facts(self) -> dict[str, object]:
        return self._means.facts()

    def _time(self, act: Callable[[], Any]) -> Any:
        _finish_device()
        began = time.perf_counter()
        made = act()
        _finish_device()
        self.seconds += time.perf_counter() - began
        return made


class _All:
    """Keeps every token, for scikit-learn."""

    def __init__(self) -> None:
        self.rows: list[Tensor] = []

    def add(self, tokens: Tensor) -> None:
        self.rows.append(tokens.flatten(0, 1).clone())

    def finish(self) -> Tensor:
        return torch.cat(self.rows).cpu()

    def facts(self) -> dict[str, object]:
        return {}


def run(settings: Settings) -> Result:
    """Time the parts of several passes, then compare inertia with scikit-learn's."""
    backbone = make_backbone(TINY, settings.weights)
    task_data = load_task(TASK, None)
    samples = (task_data.train + task_data.val)[: 100 if settings.short else IMAGES]
    images = ImageSet(samples, backbone.preprocessing).load()
    result = Result("kmeans", notes=_notes(len(samples), settings))
    before, centres = _peak_bytes(), []
    for number in range(2 if settings.short else 4):
        forward, clustering, centres = _pass(backbone, images)
        share = clustering / forward
        result.rows.append(
            {"round": number, "forward_s": forward, "clustering_s": clustering, "share": share}
        )
    result.add_ratio("clustering_over_forward", Spread.of([row["share"] for row in result.rows]))
    result.ratios["extra_memory_gib"] = round((_peak_bytes() - before) / (1 << 30), 3)
    for layer in (0, backbone.spec.depth // 2, backbone.spec.depth - 1):
        over = _inertia_over_scikit_learn(backbone, images, layer, centres[layer])
        result.ratios[f"inertia_over_scikit_learn_layer_{layer}"] = round(over, 4)
    return result


def _pass(backbone: Backbone, images: ImageSet) -> tuple[float, float, list[Tensor]]:
    """Run over the images once; return seconds of the pass, of the clustering, and the centres."""
    depth = backbone.spec.depth
    timed = {layer: _Timed(_means(depth)) for layer in range(depth)}
    began = time.perf_counter()
    feed(backbone, _pixels(images), timed, layer0_position=True)
    centres = [timed[layer].finish() for layer in range(depth)]
    clustering = sum(means.seconds for means in timed.values())
    return time.perf_counter() - began - clustering, clustering, centres


def _means(depth: int) -> ClusterMeans:
    return ClusterMeans(NUM_PROMPTS, KEPT_BYTES // depth, torch.Generator().manual_seed(0))


def _inertia_over_scikit_learn(
    backbone: Backbone, images: ImageSet, layer: int, centres: Tensor
) -> float:
    kept = _All()
    feed(backbone, _pixels(images), {layer: kept}, layer0_position=True)
    rows = kept.finish()
    ours = float(assign(rows, centres.cpu())[1].double().sum())
    return ours / KMeans(NUM_PROMPTS, n_init=1, random_state=0).fit(rows.numpy()).inertia_


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _finish_device() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def _pixels(images: ImageSet) -> Iterator[Tensor]:
    for pixels, _ in batches(images, BATCH):
        yield pixels


def _notes(count: int, settings: Settings) -> list[str]:
    weights = "random weights" if settings.weights is None else "pre-trained weights"
    return [
        f"{TINY}, {weights}, {count} images of the built-in task {TASK}: 196 tokens of each in "
        f"12 layers, {NUM_PROMPTS} clusters a layer, float32",
        "the forward pass is all of a pass but its clustering, reading the images from memory "
        "included; goal: clustering takes no longer",
        "inertia over scikit-learn's KMeans (k-means++, one start) on all tokens of a layer",
        "extra memory: growth of the peak of the process over all passes, theirs included",
    ]
