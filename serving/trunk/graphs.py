"""The trunk's forward in torch: compiled for the forms that were warmed up, eager for all others.

No request ever waits for a compiler. A graph that was traced in inference mode takes no tensors
that were made outside of it, so those are copied.
"""

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any, Final

import torch
from jaxtyping import Float
from torch import Tensor

from adapters.artifact.backbone_spec import BackboneSpec
from adapters.vit.backbone import Backbone
from adapters.vit.prompting import Prompts, features
from serving.trunk.backend import Form
from serving.trunk.blank import blank_prompts

STANCE: Final = "eager_on_recompile"
"""Of every forward after the warm-up."""

Pixels = Float[Tensor, "B 3 H W"]
Forward = Callable[[Tensor, Prompts], Tensor]


class Graphs:
    """One compiled graph, or family of graphs, per form.

    Args:
        backbone: whose trunk is run.
        options: of `torch.compile`.
    """

    def __init__(self, backbone: Backbone, **options: Any) -> None:
        self._backbone = backbone
        self._options: dict[str, Any] = {"fullgraph": True, "isolate_recompiles": True, **options}
        self._compiled: dict[Form, Forward] = {}

    def compile(self, form: Form) -> None:
        """Let the next forwards of this form be traced, one for each shape that is new."""
        if form not in self._compiled:
            self._compiled[form] = torch.compile(self._eager(form), **self._options)

    def run(self, form: Form, pixels: Pixels, prompts: Prompts) -> Float[Tensor, "B D"]:
        """Return one feature per row.

        Args:
            form: of all rows.
            pixels: on the backbone's device, in its floating type.
            prompts: of the same rows.
        """
        compiled = self._compiled.get(form)
        if compiled is None:
            return self._eager(form)(pixels, prompts)
        return compiled(_for_inference(pixels), _prompts_for_inference(prompts))

    def _eager(self, form: Form) -> Forward:
        trunk, spec = self._backbone.trunk, spec_of(self._backbone, form)

        def run(pixels: Tensor, prompts: Prompts) -> Tensor:
            return features(trunk, spec, pixels, prompts)

        return run


def _prompts_for_inference(prompts: Prompts) -> Prompts:
    if prompts is None:
        return None
    tensors = ((field.name, getattr(prompts, field.name)) for field in fields(prompts))
    made: dict[str, Any] = {n: _for_inference(found) for n, found in tensors if found is not None}
    return replace(prompts, **made)


def _for_inference(tensor: Tensor) -> Tensor:
    return tensor if tensor.is_inference() else tensor.clone()


def spec_of(backbone: Backbone, form: Form) -> BackboneSpec:
    """Return the backbone's spec, read out as the form says."""
    read_out = {"pooling": form.pooling, "final_norm": form.final_norm}
    return backbone.spec.model_copy(update=read_out)


def blank_rows(
    backbone: Backbone, form: Form, rows: int, num_prompts: int, alignment: int
) -> tuple[Pixels, Prompts]:
    """Return pixels on the CPU and prompts of nothing, as `Backend.features` takes them."""
    size = backbone.spec.image_size
    prompts = blank_prompts(backbone, form, rows, num_prompts, alignment)
    return torch.zeros(rows, 3, size, size), prompts
