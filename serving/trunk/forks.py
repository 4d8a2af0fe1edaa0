"""Forwards on the CPU that fork: once per image up to the first prompts, from there once per row.

Axis letters: B batch, T tokens, D width, I images, H W pixels.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from adapters.vit.backbone import Backbone
from adapters.vit.prompting import DeepPrompts, Prompts, bare_tokens, prompted_features
from serving.trunk.backend import Form
from serving.trunk.graphs import spec_of
from serving.trunk.side_by_side import SideBySide


class CpuForks:
    """Runs eagerly, each of both parts side by side if it has the rows; see `Forks`.

    Args:
        backbone: frozen, in the floating type to compute in.
        cores: that share the rows.
    """

    def __init__(self, backbone: Backbone, cores: SideBySide) -> None:
        self._backbone = backbone
        self._cores = cores

    @torch.inference_mode()
    def features(
        self,
        form: Form,
        pixels: Float[Tensor, "I 3 H W"],
        image_of: Int[Tensor, " B"],
        prompts: DeepPrompts,
    ) -> Float[Tensor, "B D"]:
        """Return one feature per row; see `Forks.features`."""
        trunk, spec = self._backbone.trunk, spec_of(self._backbone, form)
        first_block = spec.depth - prompts.prefix.shape[1]

        def begin(images: Tensor, _: Prompts) -> Tensor:
            return bare_tokens(trunk, images.to(self._backbone.dtype), first_block)

        def end(tokens: Tensor, prompts: Prompts) -> Tensor:
            assert isinstance(prompts, DeepPrompts), "rows that fork have deep prompts"
            return prompted_features(trunk, spec, tokens, prompts)

        return self._cores.run(end, self._cores.run(begin, pixels, None)[image_of], prompts)
