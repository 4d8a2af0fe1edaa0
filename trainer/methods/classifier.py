"""The interface of a method: a head, all else that it trains, and the frozen backbone under both.

This class alone is the linear probe. Axis letters: B batch, D width, C classes.
"""

from collections import Counter

from jaxtyping import Float
from torch import Tensor, nn

from adapters.vit.backbone import Backbone
from adapters.vit.prompting import features

HEAD_STD = 0.02


class Classifier(nn.Module):
    """A trainable head on frozen features; methods add their own parts as parameters.

    The trunk is used, not owned: it is in no `state_dict` and gets no gradient.

    Attributes:
        head: linear classifier, truncated-normal weights (std 0.02), zero bias.
    """

    def __init__(self, backbone: Backbone, num_classes: int) -> None:
        super().__init__()
        self._backbone = [backbone]
        self.head = nn.Linear(backbone.spec.width, num_classes)
        nn.init.trunc_normal_(self.head.weight, std=HEAD_STD)
        nn.init.zeros_(self.head.bias)

    @property
    def backbone(self) -> Backbone:
        """The frozen backbone."""
        return self._backbone[0]

    @property
    def has_fixed_features(self) -> bool:
        """Whether nothing before the head is trained, so that an image's feature never changes."""
        return set(self.parts()) == {"head"}

    def parts(self) -> dict[str, int]:
        """Count the trainable parameters of each part, the head's among them."""
        counts: Counter[str] = Counter()
        for name, parameter in self.named_parameters():
            counts[name.partition(".")[0]] += parameter.numel()
        return dict(counts)

    def is_head(self, name: str) -> bool:
        """Whether a parameter gives logits, so that it has the head's rate and decay.

        Args:
            name: of `named_parameters`.
        """
        return name.startswith("head.")

    def changes(self) -> dict[str, Tensor]:
        """Return all that an adapter adds to the trunk, by the names of its tensors."""
        return {}

    def penalty(self, labels: Tensor) -> Tensor | float:
        """Return what a training loss adds for the batch that the last forward was of.

        Args:
            labels: as an objective's loss takes them.
        """
        return 0.0

    def forward(self, pixels: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B C"]:
        """Return the logits of normalised images."""
        return self.head(self.features(pixels))

    def features(self, pixels: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B D"]:
        """Return what the head sees."""
        return features(self.backbone.trunk, self.backbone.spec, pixels, None)
