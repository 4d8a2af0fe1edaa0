"""What the benchmarks run on: frozen trunks with real or random weights, and random adapters."""

from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from safetensors.torch import save_file

from adapters.artifact.backbone_spec import BackboneSpec
from adapters.cache.signed_source import ArtifactSource
from adapters.images.crop import Picture
from adapters.vit.adapter import Adapter, encode
from adapters.vit.architecture import create_trunk
from adapters.vit.backbone import Backbone, choose_device, load_backbone
from serving.inference.bank import AdapterKey
from tests.fakes.artifacts import make_adapter

TINY, BASE = "vit_tiny_patch16_224", "vit_base_patch16_224"
NUM_PROMPTS, NUM_CLASSES = 20, 10


def make_backbone(name: str, weights: Path | None = None) -> Backbone:
    """Return a frozen float32 backbone on the device that a service would choose.

    Args:
        name: a plain ViT of timm.
        weights: its checkpoint; None takes random weights.
    """
    with TemporaryDirectory() as folder:
        path = weights or random_weights(name, Path(folder))
        return load_backbone(name, path, device=choose_device())


def random_weights(name: str, folder: Path) -> Path:
    """Write a checkpoint of random weights, the same ones each time; return its path."""
    torch.manual_seed(0)
    path = folder / f"{name}.safetensors"
    save_file(create_trunk(name).state_dict(), path)
    return path


def in_precision(backbone: Backbone, precision: str) -> Backbone:
    """Return a copy of the backbone that computes in `float32`, `bfloat16` or another type."""
    return replace(backbone, trunk=deepcopy(backbone.trunk).to(getattr(torch, precision)))


def precision_of(backbone: Backbone) -> str:
    """Return the name of the floating type that a backbone computes in."""
    return str(backbone.dtype).removeprefix("torch.")


def random_adapter(spec: BackboneSpec, number: int) -> Adapter:
    """Return the adapter of `task-<number>`, with deep prompts as small as trained ones."""
    adapter = make_adapter(
        f"task-{number}", NUM_CLASSES, prompts=NUM_PROMPTS, seed=number, backbone=spec
    )
    assert adapter.prompts is not None
    return replace(adapter, prompts=0.1 * adapter.prompts)


def random_pixels(backbone: Backbone, rows: int) -> torch.Tensor:
    """Return normalised images `[B, 3, H, W]` on the CPU, float32, as a backend takes them."""
    size = backbone.spec.image_size
    return torch.randn(rows, 3, size, size, generator=torch.Generator().manual_seed(0))


def random_pictures(backbone: Backbone, rows: int) -> list[Picture]:
    """Return crops as the decoder hands them over."""
    size = backbone.spec.image_size
    crops = np.random.default_rng(0).integers(0, 256, (rows, size, size, 3), np.uint8)
    return [Picture(crop, is_whole=False) for crop in crops]


class RandomSource(ArtifactSource):
    """Artifacts of any number of tasks called `task-<number>`, made when they are read."""

    def __init__(self, spec: BackboneSpec) -> None:
        self._spec = spec

    def read(self, task: str, version: str) -> bytes:
        """Return the artifact's bytes; there is one version of each task."""
        return encode(random_adapter(self._spec, int(task.removeprefix("task-"))))


def random_key(number: int) -> AdapterKey:
    """Return the key under which `RandomSource` has a task."""
    return AdapterKey(f"task-{number}", f"{number:064x}")
