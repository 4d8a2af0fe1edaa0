"""Tasks trained on trunks of other kinds than the plain ViT answer as their token form does."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from adapters.artifact.preprocessing import ImageLimits
from adapters.cache.cached_store import CachedStore
from adapters.images.decode import decode_image
from adapters.store.directory import DirectoryStore
from adapters.vit.adapter import Adapter, encode
from adapters.vit.backbone import Backbone
from adapters.vit.pixels import to_pixels
from serving.decoding.decoder import DecoderSettings
from serving.inference.bank import AdapterBank
from serving.inference.core import Core
from serving.inference.engine import Engine, Query
from serving.trunk.cpu import CpuBackend
from tests.fakes.artifacts import make_adapter
from tests.fakes.other_trunks import other_trunk
from tests.fakes.reference import reference_scores
from tests.fakes.tiny import image_bytes, tiny_backbone
from trainer.methods.build import build

TASKS = {"deep": ("spt-deep", 4), "long": ("spt-deep", 7), "shallow": ("spt-shallow", 5)} | {
    "bare": ("linear", 0)
}
"""The method and the number of prompts of each task."""


def trained(backbone: Backbone, task: str) -> Adapter:
    """Return what two steps of AdamW on random images make of a task."""
    method, prompts = TASKS[task]
    start = make_adapter(task, method=method, prompts=prompts, backbone=backbone.spec)
    model = build(method, backbone, 3, start.prompts)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    size = backbone.spec.image_size
    pixels = torch.randn(4, 3, size, size).to(backbone.dtype)
    for _ in range(2):
        optimizer.zero_grad()
        F.cross_entropy(model(pixels), torch.tensor([0, 1, 2, 0])).backward()
        optimizer.step()
    learned = getattr(model, "prompts", None)
    if learned is not None:
        assert (learned.float() - start.prompts).abs().amax(dim=(1, 2)).min() > 1e-3
    tensors = learned, model.head.weight, model.head.bias
    exact = (None if one is None else one.detach().float() for one in tensors)
    return Adapter(*exact, start.meta)


def errors(backbone: Backbone, folder: Path) -> list[float]:
    """Publish all tasks, ask for two images of each in one batch, and compare the scores."""
    source = CachedStore(DirectoryStore(folder))
    adapters = {task: trained(backbone, task) for task in TASKS}
    for adapter in adapters.values():
        source.publish(encode(adapter))
    engine = Engine(
        Core(CpuBackend(backbone), source, AdapterBank(backbone, source, 1 << 26)),
        decoding=DecoderSettings(ImageLimits(max_pixels=4096)),
    )
    queries = [Query(image_bytes(i), task, top_k=3) for i, task in enumerate([*TASKS, *TASKS])]
    answers = engine.predict(queries)
    engine.close()
    found = []
    for query, answer in zip(queries, answers, strict=True):
        adapter = adapters[query.task]
        pixels = to_pixels(decode_image(query.image), adapter.meta.preprocessing)
        expected = reference_scores(backbone.trunk, adapter, pixels)
        found += [abs(p.score - float(expected[p.index])) for p in answer.predictions]
    return found


@pytest.mark.parametrize(
    "name",
    [
        "vit_small_patch16_dinov3",
        "eva02_base_patch16_clip_224",
        "vit_pe_core_base_patch16_224",
        "vit_small_patch16_rope_mixed_224",
        "beit_base_patch16_224",
    ],
)
def test_trained_tasks_answer_in_one_mixed_batch_as_their_token_form(name: str, tmp_path: Path):
    found = errors(tiny_backbone(other_trunk(name), dtype=torch.float64), tmp_path)
    assert len(found) == 3 * 2 * len(TASKS)
    assert max(found) < 1e-12
