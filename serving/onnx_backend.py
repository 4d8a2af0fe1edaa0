"""The trunk in ONNX Runtime, for the forms that were exported; the others run in torch."""

import logging
from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from adapters.backbone import Backbone
from adapters.prompting import DeepPrompts, Prompts
from serving.backend import Example, Form
from serving.errors import ExportError
from serving.export import GRAPH, covers, read_export
from serving.gather import blank_prompts
from serving.onnx_session import open_session, run_session
from serving.torch_backend import TorchBackend

_log = logging.getLogger(__name__)


class OnnxBackend:
    """Runs an exported trunk; see `Backend`.

    Args:
        backbone: float32; adapters are prepared with it.
        folder: what `export_trunk` wrote.
        precision: what the export must be, float32 or int8.

    Raises:
        ExportError: no export, a damaged one, or one of another backbone or precision.
    """

    key_alignment = 1

    def __init__(self, backbone: Backbone, folder: Path, precision: str = "float32") -> None:
        export = read_export(folder)
        differences = export.backbone.mismatches(backbone.spec)
        if export.precision != precision:
            differences.append(f"precision {export.precision} against {precision}")
        if differences:
            raise ExportError(
                f"the export in {folder} is not of the backbone that serves "
                f"({'; '.join(differences)}); run `python -m serving export` for "
                f"{backbone.spec.name}"
            )
        self.backbone = backbone
        self._exported = export.backbone
        self._session = open_session(folder / GRAPH)
        self._torch = TorchBackend(backbone)

    @torch.inference_mode()
    def warm_up(self, examples: Sequence[Example]) -> None:
        """Run every kind of batch once, and name those that the graph does not compute."""
        size = self.backbone.spec.image_size
        for form, num_prompts in examples:
            if not covers(self._exported, form):
                _log.warning("%s is not in the exported graph: it runs in torch", form)
            blank = blank_prompts(self.backbone, form, 2, num_prompts, self.key_alignment)
            self.features(form, torch.zeros(2, 3, size, size), blank)

    @torch.inference_mode()
    def features(
        self, form: Form, pixels: Float[Tensor, "B 3 H W"], prompts: Prompts
    ) -> Float[Tensor, "B D"]:
        """Return one feature per row; see `Backend.features`."""
        if not covers(self._exported, form):
            return self._torch.features(form, pixels, prompts)
        found = run_session(self._session, graph_inputs(pixels, prompts))
        return found.to(self.backbone.device)


def graph_inputs(pixels: Tensor, prompts: Prompts) -> dict[str, Tensor]:
    """Return the graph's inputs by name; it takes one prompt at least, masked if there is none."""
    assert isinstance(prompts, DeepPrompts), "shallow prompts are not in the graph"
    prefix, mask = prompts.prefix, prompts.mask
    if mask is None:
        mask = prefix.new_zeros(len(prefix), prefix.shape[2])
    if not prefix.shape[2]:
        prefix, mask = F.pad(prefix, (0, 0) * 3 + (0, 1)), F.pad(mask, (0, 1), value=-torch.inf)
    last = {} if prompts.last is None else {"last": prompts.last}
    return {"pixels": pixels, "prefix": prefix, "mask": mask, **last}
