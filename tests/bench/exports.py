"""The graphs of trunks, each written once however many read it."""

from pathlib import Path

from adapters.vit.backbone import Backbone
from serving.onnx.export import export_trunk
from tests.bench.plain.graph import export_plain


class Exports:
    """Graphs of float32 backbones on the CPU.

    Args:
        folder: of all of them; must stay.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def trunk(self, backbone: Backbone) -> Path:
        """Return the folder of our export, which takes prompts."""
        place = self._place(backbone) / "ours"
        if not place.exists():
            export_trunk(backbone, place)
        return place

    def plain(self, backbone: Backbone) -> Path:
        """Return the graph of timm's bare trunk."""
        place = self._place(backbone) / "plain.onnx"
        if not place.exists():
            export_plain(backbone, place)
        return place

    def _place(self, backbone: Backbone) -> Path:
        spec = backbone.spec
        place = self._folder / f"{spec.name}-{spec.pooling}-{spec.weights_sha256}"
        place.mkdir(exist_ok=True)
        return place
