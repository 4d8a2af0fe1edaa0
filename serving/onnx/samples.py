"""Published tasks and images of them, for comparing precisions. Reads a store and folders."""

import random
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from adapters.artifact.preprocessing import Preprocessing
from adapters.errors import SptError
from adapters.images.crop import decode_by_rule
from adapters.store.directory import Store
from adapters.store.objects.opened import store_at
from adapters.vit.adapter import decode
from adapters.vit.backbone import Backbone
from adapters.vit.pixels import to_pixels
from serving.errors import ExportError
from serving.rounding.agreement import Sample
from serving.rows.resident import Resident, make_resident
from serving.trunk.backend import covers

SUFFIXES: Final = {".jpg", ".jpeg", ".png", ".webp"}


def read_samples(
    backbone: Backbone, store: Path, images: Path, most: int = 400
) -> dict[str, Sample]:
    """Return, for every task of the store that has a folder of images, some of them as pixels.

    Args:
        backbone: tasks of another one, or of a read-out that it does not export, are left out.
        store: folder of an adapter store.
        images: folder with one folder per task, of any depth.
        most: images of one task; the choice is the same each time.

    Raises:
        ExportError: no task has images.
    """
    samples = {}
    truth = store_at(store)
    for task in truth.tasks():
        files = sorted(p for p in (images / task).rglob("*") if p.suffix.lower() in SUFFIXES)
        resident = _resident(backbone, truth, task) if files else None
        if resident is not None and covers(backbone.spec, resident.form):
            chosen = random.Random(task).sample(files, min(most, len(files)))
            samples[task] = Sample(resident, read_pixels(chosen, resident.meta.preprocessing))
    if not samples:
        raise ExportError(
            "rounding is measured on images of published tasks, and none was found: "
            f"expected {images}/<task>/…/*.jpg for tasks of {store} that were trained on "
            f"{backbone.spec.name}"
        )
    return samples


def read_pixels(paths: Iterable[Path], rule: Preprocessing) -> Float[Tensor, "B 3 H W"]:
    """Return images of files, by one rule; one image at least."""
    return torch.stack([to_pixels(decode_by_rule(path.read_bytes(), rule), rule) for path in paths])


def _resident(backbone: Backbone, store: Store, task: str) -> Resident | None:
    try:
        return make_resident(decode(store.read(task, store.current(task).version)), backbone)
    except SptError:  # another backbone's, or damaged: nothing to compare
        return None
