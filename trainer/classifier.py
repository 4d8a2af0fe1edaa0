"""What is trained: prompts and a head on the frozen backbone.

Axis letters: B batch, L layers, P prompts, D width, C classes.
"""

from jaxtyping import Float
from torch import Tensor, nn

from adapters.backbone import Backbone
from adapters.prompting import DeepPrompts, Prompts, ShallowPrompts, features, prefix_of
from trainer.recipe import OptimRecipe

_HEAD_STD = 0.02


class PromptedClassifier(nn.Module):
    """Trainable prompts and head; the trunk is used, not owned, so it is never saved with them.

    Attributes:
        prompts: deep `[L, P, D]`, shallow `[1, P, D]`, or None for a bare head.
        head: linear classifier, truncated-normal weights (std 0.02), zero bias.
    """

    def __init__(
        self, backbone: Backbone, num_classes: int, prompts: Float[Tensor, "L P D"] | None
    ) -> None:
        super().__init__()
        self._backbone = [backbone]
        self.prompts = None if prompts is None else nn.Parameter(prompts.clone())
        self.head = nn.Linear(backbone.spec.width, num_classes)
        nn.init.trunc_normal_(self.head.weight, std=_HEAD_STD)
        nn.init.zeros_(self.head.bias)
        self.to(backbone.device)

    @property
    def backbone(self) -> Backbone:
        """The frozen backbone."""
        return self._backbone[0]

    def forward(self, pixels: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B C"]:
        """Return the logits of normalised images."""
        return self.head(self.features(pixels))

    def features(self, pixels: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B D"]:
        """Return what the head sees, on the backbone's device."""
        backbone = self.backbone
        pixels = pixels.to(backbone.device)
        return features(backbone.trunk, backbone.spec, pixels, self._prompts(len(pixels)))

    def _prompts(self, batch: int) -> Prompts:
        if self.prompts is None:
            return None
        if len(self.prompts) == 1:
            return ShallowPrompts(self.prompts.expand(batch, -1, -1))
        prefix = prefix_of(self.backbone.trunk, self.prompts)
        last = self.prompts[-1].expand(batch, -1, -1)
        return DeepPrompts(prefix.expand(batch, *prefix.shape), last=last)


def parameter_groups(model: PromptedClassifier, optim: OptimRecipe) -> list[dict[str, object]]:
    """Return the trainable parameters for AdamW, each group with its decay and its `peak` rate.

    The head's bias has no weight decay.
    """
    groups: list[dict[str, object]] = [
        {"params": [model.head.weight], "weight_decay": optim.head_weight_decay, "peak": optim.lr},
        {"params": [model.head.bias], "weight_decay": 0.0, "peak": optim.lr},
    ]
    if model.prompts is not None:
        groups.append(
            {
                "params": [model.prompts],
                "weight_decay": optim.prompt_weight_decay,
                "peak": optim.prompt_lr or optim.lr,
            }
        )
    return groups
