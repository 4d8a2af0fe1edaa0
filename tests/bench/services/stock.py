"""TorchServe with its stock handler of images, and a plain ViT."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import timm
import torch

from serving.launch.launch import Launch
from serving.launch.running import Running
from serving.torchserve.configure import write_configuration
from tests.bench.one_model_per_task import torchserve_of
from tests.bench.services.plain_model import NUM_CLASSES

MODEL = "spt"
_SOURCE = """
import timm
from torch import nn


class Plain(nn.Module):
    def __init__(self):
        super().__init__()
        self.vit = timm.create_model({name!r}, num_classes={classes})

    def forward(self, pixels):
        return self.vit(pixels)
"""


@contextmanager
def stock_torchserve(launch: Launch) -> Iterator[Running]:
    """Run it until the block ends, with the settings of a launch of ours, but for the model."""
    launch.folder.mkdir(parents=True, exist_ok=True)
    config = write_configuration(launch)
    _put_plain(config.parent / "model_store" / MODEL, launch.backbone)
    with torchserve_of(launch, config, [MODEL]) as running:
        yield running


def _put_plain(folder: Path, name: str) -> None:
    """Make our model's folder one of the stock handler."""
    manifest_path = folder / "MAR-INF" / "MANIFEST.json"
    manifest = json.loads(manifest_path.read_text())
    manifest["model"] |= {
        "handler": "image_classifier",
        "modelFile": "plain.py",
        "serializedFile": "weights.pt",
    }
    manifest_path.write_text(json.dumps(manifest))
    (folder / "plain.py").write_text(_SOURCE.format(name=name, classes=NUM_CLASSES))
    trunk = timm.create_model(name, num_classes=NUM_CLASSES)
    torch.save({f"vit.{key}": value for key, value in trunk.state_dict().items()},
               folder / "weights.pt")  # fmt: skip
    shutil.rmtree(folder / "__pycache__", ignore_errors=True)
