"""One backbone at full depth: tasks are trained and published on it, served, and asked offline."""

from pathlib import Path
from typing import Final, NamedTuple

import torch
from safetensors.torch import save_file

from adapters.cache.cached_store import CachedStore
from adapters.images.decode import decode_image
from adapters.store.directory import DirectoryStore
from adapters.vit.adapter import Adapter, decode
from adapters.vit.architecture import create_trunk
from adapters.vit.backbone import Backbone, load_backbone
from adapters.vit.pixels import to_pixels
from serving.decoding.decoder import DecoderSettings
from serving.inference.bank import AdapterBank
from serving.inference.core import Core
from serving.inference.engine import Engine
from serving.protocol import Answer
from serving.rows.query import Query
from serving.trunk.cpu import CpuBackend
from tests.backbones.families import Architecture
from tests.fakes.reference import reference_scores
from tests.fakes.tiny import image_bytes
from tests.unit.trainer.toy import make_toy_folder
from trainer.__main__ import main as trainer

TASKS: Final = {
    "deep": ("spt-deep", 4),
    "long": ("spt-deep", 7),
    "shallow": ("spt-shallow", 5),
    "bare": ("linear", 1),
}
"""The method and the number of prompts of each task."""

_IMAGES: Final = (1, 2)
_TWO_STEPS: Final = ("optim.epochs=2", "optim.warmup_epochs=0", "optim.batch_size=4")


class Found(NamedTuple):
    """What came of it.

    Attributes:
        answers: how many scores were compared.
        error: largest difference between a score served and the same offline.
        effect: least change of a task's scores when its prompts are left out.
    """

    answers: int
    error: float
    effect: float


def try_backbone(architecture: Architecture, folder: Path) -> Found:
    """Train every task for two steps, publish, ask for all in one batch, and compute the same.

    Args:
        architecture: gets random weights, each of which matters.
        folder: an empty one.
    """
    name, size = architecture
    weights, store = folder / "weights.safetensors", folder / "store"
    save_file(_random_weights(architecture), weights)
    data = make_toy_folder(folder / "data", per_class=2)
    backbone = [f"--backbone={name}", f"--weights={weights}", f"--image-size={size}"]
    for task, (method, prompts) in TASKS.items():
        settings = [f"--set={one}" for one in (*_TWO_STEPS, f"prompt.num_tokens={prompts}")]
        places = [f"--data={data}", f"--store={store}", f"--out={folder / task}"]
        assert trainer(["train", task, *backbone, f"--method={method}", *settings, *places]) == 0
    served = load_backbone(name, weights, image_size=size)
    source = CachedStore(DirectoryStore(store))
    engine = Engine(
        Core(CpuBackend(served), source, AdapterBank(served, source, 1 << 28)),
        decoding=DecoderSettings(),
    )
    queries = [Query(image_bytes(seed), task, top_k=2) for seed in _IMAGES for task in TASKS]
    answers = engine.predict(queries)
    engine.close()
    served.trunk.double()  # for what is computed offline
    return _compared(served, source.store, queries, answers)


def _random_weights(architecture: Architecture) -> dict[str, torch.Tensor]:
    """Return weights that keep the size of what goes through them; gains are about 1."""
    generator = torch.Generator().manual_seed(0)
    found = create_trunk(*architecture).state_dict()
    for key, tensor in found.items():
        noise = torch.randn(tensor.shape, generator=generator)
        if tensor.ndim > 1:
            found[key] = noise / tensor[0].numel() ** 0.5
        else:
            found[key] = 0.1 * noise + (0 if key.endswith("bias") else 1)
    return found


def _compared(
    backbone: Backbone, store: DirectoryStore, queries: list[Query], answers: list[object]
) -> Found:
    errors, effects = [], []
    for query, answer in zip(queries, answers, strict=True):
        assert isinstance(answer, Answer), answer
        adapter = decode(store.read(query.task, answer.version))
        pixels = to_pixels(decode_image(query.image), adapter.meta.preprocessing)
        expected = reference_scores(backbone.trunk, adapter, pixels)
        errors += [abs(one.score - float(expected[one.index])) for one in answer.predictions]
        if adapter.prompts is not None:
            bare = Adapter(None, adapter.head_weight, adapter.head_bias, adapter.meta)
            without = reference_scores(backbone.trunk, bare, pixels)
            effects.append(float((expected - without).abs().max()))
    return Found(len(errors), max(errors), min(effects))
