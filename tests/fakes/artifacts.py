"""Tiny adapters that are whole and consistent; the same arguments give the same bytes."""

import torch

from adapters.artifact.backbone_spec import BackboneSpec
from adapters.artifact.calibration import Calibration
from adapters.artifact.meta import AdapterMeta
from adapters.artifact.preprocessing import Preprocessing
from adapters.artifact.task import Task
from adapters.vit.adapter import Adapter, encode


def make_spec(depth: int = 2, width: int = 8, **changes: object) -> BackboneSpec:
    """Return the identity of a tiny backbone; `changes` replace any of its fields."""
    fields = {
        "name": "tiny",
        "weights_sha256": "ab" * 32,
        "width": width,
        "depth": depth,
        "num_heads": 2,
        "image_size": 16,
        "patch_size": 8,
        "pooling": "cls",
        "final_norm": "before-pooling",
    }
    return BackboneSpec.model_validate(fields | changes)


def make_preprocessing(size: int = 16) -> Preprocessing:
    """Return what fits a backbone whose input is `size` pixels wide."""
    half = (0.5, 0.5, 0.5)
    return Preprocessing(resize="squash", resize_size=size, crop=size, mean=half, std=half)


def make_calibration(temperature: float) -> Calibration:
    """Return what a run says of a temperature that it has fitted."""
    return Calibration(temperature=temperature, images=200, error_before=0.25, error_after=0.125)


def make_adapter(  # noqa: PLR0913 (every test names the few it cares about)
    task: str = "pets",
    classes: int = 3,
    depth: int = 2,
    width: int = 8,
    prompts: int = 4,
    seed: int = 0,
    *,
    method: str = "spt-deep",
    first_block: int = 0,
    backbone: BackboneSpec | None = None,
    metrics: dict[str, float] | None = None,
    temperature: float | None = None,
) -> Adapter:
    """Return a random adapter.

    Args:
        task: its id.
        classes: number of classes, named class-0, class-1 and so on.
        depth: blocks of the backbone.
        width: of its tokens.
        prompts: per layer.
        seed: of the tensors; other seeds give other versions.
        method: with "shallow" in it one layer of prompts, "linear" none, else one per block.
        first_block: that has deep prompts.
        backbone: replaces `depth` and `width`.
        metrics: as a training run would report them.
        temperature: of its calibration, where it has one.
    """
    spec = backbone or make_spec(depth, width)
    generator = torch.Generator().manual_seed(seed)
    layers = 1 if "shallow" in method else spec.depth - first_block
    tokens = torch.randn(layers, prompts, spec.width, generator=generator)
    meta = AdapterMeta(
        task=Task(id=task, class_names=tuple(f"class-{i}" for i in range(classes))),
        method=method,
        init=None if method == "linear" else "random",
        first_block=first_block,
        backbone=spec,
        preprocessing=make_preprocessing(spec.image_size),
        recipe={"method": method, "seed": seed},
        metrics={"test_accuracy": 0.75} if metrics is None else metrics,
        calibration=None if temperature is None else make_calibration(temperature),
        data_sha256="cd" * 32,
        seed=seed,
        created_at="2026-01-02T03:04:05Z",
        code_version="test",
    )
    return Adapter(
        prompts=None if method == "linear" else tokens,
        head_weight=torch.randn(classes, spec.width, generator=generator),
        head_bias=torch.randn(classes, generator=generator),
        meta=meta,
    )


def make_artifact(task: str = "pets", seed: int = 0) -> bytes:
    """Return the bytes of the smallest such adapter; one version per task and seed."""
    return encode(make_adapter(task, seed=seed, width=4, prompts=1))
