"""A task as a program of torch, backbone and all: torch loads and runs it, without this package.

Axis letters: B batch, S side of a crop, P prompts, D width, C classes.
"""

import json
import shutil
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from adapters.errors import ArtifactMismatch
from adapters.exchange import predict
from adapters.exchange.folder import empty_folder, read_me
from adapters.vit.adapter import decode
from adapters.vit.backbone import Backbone
from adapters.vit.prompting import Prompts, features, one_row

MAX_ERROR: Final = 1e-4
"""Of logits, relative to the largest one."""

_USAGE: Final = """`program.pt2` is the whole task, its backbone included. torch alone runs it:

```python
import torch

model = torch.export.load("program.pt2").module()
logits = model(crops)  # uint8 [B, S, S, 3] -> float32 [B, C]
```

`predict.py` shows how an image becomes a crop, and logits become scores; it needs Pillow and numpy
as well. `task.json` has the class names in the order of the logits."""


class ServedTask(nn.Module):
    """Crops in, logits out: what the service computes, with every number of the task inside."""

    mean: Tensor
    std: Tensor
    weight: Tensor
    bias: Tensor

    def __init__(self, backbone: Backbone, data: bytes) -> None:
        super().__init__()
        adapter = decode(data)
        adapter.check_fits(backbone.spec)
        rule, self.spec = adapter.meta.preprocessing, adapter.meta.backbone
        self.trunk = backbone.trunk
        self.register_buffer("mean", torch.tensor(rule.mean)[:, None, None])
        self.register_buffer("std", torch.tensor(rule.std)[:, None, None])
        self.register_buffer("weight", adapter.head_weight)
        self.register_buffer("bias", adapter.head_bias)
        row = one_row(backbone.trunk, adapter)
        self.form = None if row is None else type(row)
        for field in () if row is None else fields(row):
            self.register_buffer(f"prompts_{field.name}", getattr(row, field.name))

    def forward(self, crops: UInt8[Tensor, "B S S 3"]) -> Float[Tensor, "B C"]:
        """Return the logits of crops."""
        pixels = (crops.permute(0, 3, 1, 2).to(torch.float32) / 255 - self.mean) / self.std
        found = features(self.trunk, self.spec, pixels, self._rows(pixels))
        return F.linear(found, self.weight, self.bias)

    def _rows(self, pixels: Float[Tensor, "B 3 S S"]) -> Prompts:
        if self.form is None:
            return None
        batch = pixels.shape[0]  # not len(), which fixes the number of rows
        shared = {
            name.removeprefix("prompts_"): tensor.expand(batch, *tensor.shape[1:])
            for name, tensor in self.named_buffers(recurse=False)
            if name.startswith("prompts_")
        }
        return self.form(**shared)


def write_program(backbone: Backbone, data: bytes, folder: Path) -> float:
    """Write the program, and how to use it; return how far it is from this package's own forward.

    Args:
        backbone: on the CPU, in float32, read out as the adapter's.
        data: the artifact.
        folder: not there, or empty.

    Raises:
        ArtifactMismatch: the adapter is for another backbone, or the program computes something
            else; nothing is left then.
        ArtifactCorrupt: the artifact is damaged.
        OSError: the folder is not empty, or cannot be written.
    """
    meta, task = decode(data).meta, ServedTask(backbone, data).eval()
    side = meta.preprocessing.crop
    generator = torch.Generator().manual_seed(0)
    crops = torch.randint(0, 256, (3, side, side, 3), dtype=torch.uint8, generator=generator)
    with torch.no_grad():
        shapes = {"crops": {0: torch.export.Dim("batch")}}
        program = torch.export.export(task, (crops[:2],), dynamic_shapes=shapes)
        own, theirs = task(crops), program.module()(crops)
    error = float((own - theirs).abs().max() / own.abs().max().clamp(min=1e-12))
    if not error <= MAX_ERROR:
        raise ArtifactMismatch(
            f"{meta.task.id}: the program's logits differ from ours by {error:.1e} of the largest, "
            f"at most {MAX_ERROR:.0e} is allowed; nothing is written"
        )
    about = json.dumps(_about(data), indent=1, ensure_ascii=False)
    place = empty_folder(folder)
    torch.export.save(program, place / "program.pt2", extra_files={"task.json": about})
    (place / "task.json").write_text(about + "\n", encoding="utf-8")
    (place / "README.md").write_text(read_me(meta, data, _USAGE), encoding="utf-8")
    shutil.copyfile(predict.__file__, place / "predict.py")
    return error


def _about(data: bytes) -> dict[str, Any]:
    """Return what a caller must know: the meta, without what the card says in its place."""
    meta = decode(data).meta
    return {
        "temperature": meta.temperature,
        **meta.model_dump(mode="json", exclude={"recipe", "card", "samples"}),
    }
