"""The trunk in ONNX Runtime, for the forms that were exported; the others run in torch.

On the CPU the rows of a batch are computed side by side, two at a time: their intermediate values
then fit into a core's cache.
"""

import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final

import onnxruntime
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from adapters.vit.backbone import Backbone
from adapters.vit.prompting import DeepPrompts, Prompts
from serving.errors import ExportError
from serving.onnx.export import GRAPH, read_export
from serving.onnx.session import open_session, run_session
from serving.trunk.backend import Backend, Example, Form, covers
from serving.trunk.blank import blank_prompts
from serving.trunk.choose import torch_backend
from serving.trunk.side_by_side import SideBySide

ROWS_OF_ONE_CORE: Final = 2

_log = logging.getLogger(__name__)


class OnnxBackend:
    """Runs an exported trunk; see `Backend`.

    Args:
        backbone: float32; adapters are prepared with it.
        folder: what `export_trunk` or `export_int8` wrote.
        precision: what the export must be, float32 or int8; int8 runs on the CPU.

    Raises:
        ExportError: no export, a damaged one, or one of another backbone or precision.
    """

    key_alignment = 1
    steps = None
    forks = None

    def __init__(self, backbone: Backbone, folder: Path, precision: str = "float32") -> None:
        export = read_export(folder)
        differences = export.backbone.mismatches(backbone.spec)
        if export.precision != precision:
            differences.append(f"precision {export.precision} against {precision}")
        if differences:
            raise ExportError(
                f"the export in {folder} is not of the backbone that serves "
                f"({'; '.join(differences)}); run `spt export` for "
                f"{backbone.spec.name}"
            )
        self.backbone = backbone
        self.exact = torch_backend(backbone)
        self._export = export
        on_cuda = backbone.device.type == "cuda" and precision != "int8"
        self._whole = open_session(folder / GRAPH, on_cuda=on_cuda)
        self._cores = None if on_cuda else SideBySide(most_rows=ROWS_OF_ONE_CORE)
        self._share = self._whole
        if self._cores is not None and self._cores.num_cores > 1:
            self._share = open_session(folder / GRAPH, num_threads=1)

    @torch.inference_mode()
    def warm_up(self, examples: Sequence[Example]) -> None:
        """Run every kind of batch once, and name those that the graph does not compute."""
        size = self.backbone.spec.image_size
        for form, num_prompts in examples:
            if not covers(self._export.backbone, form):
                _log.warning("%s is not in the exported graph: it runs in torch", form)
            backends: list[Backend] = [self, self.exact] if self.doubt(form) else [self]
            for backend in backends:
                blank = blank_prompts(self.backbone, form, 2, num_prompts, backend.key_alignment)
                backend.features(form, torch.zeros(2, 3, size, size), blank)

    def doubt(self, form: Form) -> float:
        """Return what the export measured; see `Backend.doubt`."""
        return self._export.doubt if covers(self._export.backbone, form) else 0.0

    @torch.inference_mode()
    def features(
        self, form: Form, pixels: Float[Tensor, "B 3 H W"], prompts: Prompts
    ) -> Float[Tensor, "B D"]:
        """Return one feature per row; see `Backend.features`."""
        if not covers(self._export.backbone, form):
            return self.exact.features(form, pixels, prompts)
        if self._cores is not None and self._cores.splits(len(pixels)):
            found = self._cores.run(partial(_run, self._share), pixels, prompts)
        else:
            found = _run(self._whole, pixels, prompts)
        return found.to(self.backbone.device)


def _run(session: onnxruntime.InferenceSession, pixels: Tensor, prompts: Prompts) -> Tensor:
    return run_session(session, graph_inputs(pixels, prompts))


def graph_inputs(pixels: Tensor, prompts: Prompts) -> dict[str, Tensor]:
    """Return the graph's inputs by name; it takes one prompt at least, masked if there is none."""
    assert isinstance(prompts, DeepPrompts), "shallow prompts are not in the graph"
    prefix, mask = prompts.prefix, prompts.mask
    if mask is None:
        mask = prefix.new_zeros(prefix.shape[:3])
    if not prefix.shape[2]:
        prefix, mask = F.pad(prefix, (0, 0) * 3 + (0, 1)), F.pad(mask, (0, 1), value=-torch.inf)
    last = {} if prompts.last is None else {"last": prompts.last}
    return {"pixels": pixels, "prefix": prefix, "mask": mask, **last}
