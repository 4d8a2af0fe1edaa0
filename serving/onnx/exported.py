"""A backend whose trunk is an exported graph; rows of forms that are not in it run in torch.

On the CPU the rows of a batch are computed side by side, a few at a time: their intermediate values
then fit into a core's cache, and a core that is free sooner takes more of them.
"""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from adapters.vit.backbone import Backbone
from adapters.vit.prompting import DeepPrompts, Prompts
from serving.errors import ExportError
from serving.onnx.comparison import Compute
from serving.onnx.export import Export, Runtime, read_export
from serving.trunk.backend import Backend, Example, Form, covers
from serving.trunk.blank import blank_prompts
from serving.trunk.choose import torch_backend
from serving.trunk.side_by_side import SideBySide

_log = logging.getLogger(__name__)


class Shares(NamedTuple):
    """How a large batch is computed.

    Attributes:
        compute: runs the graph on one core, from several threads at once.
        cores: that share the rows.
    """

    compute: Compute
    cores: SideBySide


class ExportedBackend:
    """Runs an exported trunk; see `Backend`.

    Args:
        backbone: adapters are prepared with it.
        export: of the same trunk.
        whole: runs the graph on everything that the device has.
        shares: for batches of more rows than there are cores; None computes every batch whole.
    """

    key_alignment = 1
    steps = None
    forks = None

    def __init__(
        self, backbone: Backbone, export: Export, whole: Compute, shares: Shares | None
    ) -> None:
        self.backbone = backbone
        self.exact = torch_backend(backbone)
        self._export = export
        self._whole = whole
        self._shares = shares

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
        if self._shares is not None and self._shares.cores.splits(len(pixels)):
            share, cores = self._shares
            found = cores.run(lambda *rows: share(graph_inputs(*rows)), pixels, prompts)
        else:
            found = self._whole(graph_inputs(pixels, prompts))
        return found.to(self.backbone.device)


def matching_export(folder: Path, backbone: Backbone, precision: str, runtime: Runtime) -> Export:
    """Return what an export says of itself, if it is of this trunk.

    Args:
        folder: that `spt export` wrote.
        backbone: that serves.
        precision: to compute in.
        runtime: that serves; any can read a float32 export.

    Raises:
        ExportError: no export, a damaged one, or one of another backbone, precision or runtime.
    """
    export = read_export(folder)
    differences = export.backbone.mismatches(backbone.spec)
    if export.precision != precision:
        differences.append(f"precision {export.precision} against {precision}")
    elif precision == "int8" and export.runtime != runtime:
        differences.append(f"int8 of runtime {export.runtime} against {runtime}")
    if differences:
        raise ExportError(
            f"the export in {folder} is not of the backbone that serves "
            f"({'; '.join(differences)}); run `spt export` for {backbone.spec.name}"
        )
    return export


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
