"""Methods that train weights of the trunk itself, or weights that merge into them.

Their forward is the plain trunk's with some tensors exchanged, so what they compute is exact by
construction and the frozen trunk is never written to. Axis letters: B batch, D width.
"""

from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call

from adapters.vit.backbone import Backbone
from adapters.vit.prompting import features
from trainer.methods.classifier import Classifier


class _Trunk(nn.Module):
    """The trunk's features as one module, whose tensors can be exchanged by name."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.trunk, self.spec = backbone.trunk, backbone.spec

    def forward(self, pixels: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B D"]:
        return features(self.trunk, self.spec, pixels, None)


class RetunedClassifier(Classifier):
    """A classifier whose trunk has some tensors replaced by trainable ones."""

    def __init__(self, backbone: Backbone, num_classes: int) -> None:
        super().__init__(backbone, num_classes)
        self._exchangeable = [_Trunk(backbone)]

    def exchanged(self) -> dict[str, Tensor]:
        """Return the tensors, by their names in the trunk, that take the frozen ones' places."""
        raise NotImplementedError

    def features(self, pixels: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B D"]:
        """Return what the head sees."""
        tensors = {f"trunk.{name}": tensor for name, tensor in self.exchanged().items()}
        return functional_call(self._exchangeable[0], tensors, (pixels,))


class FullClassifier(RetunedClassifier):
    """Full fine-tuning: a trainable copy of every parameter of the trunk."""

    part = "trunk"

    def __init__(self, backbone: Backbone, num_classes: int) -> None:
        super().__init__(backbone, num_classes)
        copies = {
            flat(name): nn.Parameter(tensor.clone())
            for name, tensor in backbone.trunk.named_parameters()
            if self.is_trained(name)
        }
        self.add_module(self.part, nn.ParameterDict(copies))

    @staticmethod
    def is_trained(name: str) -> bool:
        """Whether the trunk's parameter of this name is trained."""
        return True

    def exchanged(self) -> dict[str, Tensor]:
        """Return the trained copies by the name of what they replace."""
        copies = self.get_submodule(self.part)
        names = (name for name, _ in self.backbone.trunk.named_parameters())
        return {name: getattr(copies, flat(name)) for name in names if self.is_trained(name)}


class BiasClassifier(FullClassifier):
    """BitFit (Zaken et al. 2021): every bias of the trunk, those of its norms among them."""

    part = "biases"

    @staticmethod
    def is_trained(name: str) -> bool:
        """Whether it is a bias."""
        return name.endswith("bias")


def flat(name: str) -> str:
    """Return the name without dots, which a parameter's own name cannot have."""
    return name.replace(".", "_")
