"""From a method's name to the model that is trained."""

from collections.abc import Callable
from typing import Any

from jaxtyping import Float
from torch import Tensor

from adapters.vit.backbone import Backbone
from adapters.vit.blocks.known import not_plain
from trainer.errors import RecipeError
from trainer.methods.attention_bias import AttentionBiasClassifier
from trainer.methods.bottleneck import BottleneckClassifier
from trainer.methods.classifier import Classifier
from trainer.methods.flows import FlowClassifier
from trainer.methods.gated import GatedClassifier
from trainer.methods.lora import LoraClassifier
from trainer.methods.moments import MomentClassifier
from trainer.methods.prompted import PromptedClassifier, PromptOwner
from trainer.methods.retuned import BiasClassifier, FullClassifier
from trainer.methods.ssf import ScaledClassifier
from trainer.methods.variants.e2vpt import KeyValuePromptedClassifier
from trainer.methods.variants.fourier import FourierClassifier
from trainer.methods.variants.guided import BiasedGuidedClassifier, GuidedClassifier
from trainer.methods.variants.koopman import EvolvingClassifier

_WITH_PROMPTS: dict[str, type[PromptOwner]] = {
    "spt-deep": PromptedClassifier,
    "spt-shallow": PromptedClassifier,
    "vpt-deep": PromptedClassifier,
    "vpt-shallow": PromptedClassifier,
    "gate-vpt": GatedClassifier,
    "e2vpt": KeyValuePromptedClassifier,
    "vfpt-deep": FourierClassifier,
    "vfpt-shallow": FourierClassifier,
    "pae": EvolvingClassifier,
    "da-vpt": GuidedClassifier,
    "da-vpt-plus": BiasedGuidedClassifier,
}
_WITHOUT_PROMPTS: dict[str, Callable[..., Classifier]] = {
    "linear": Classifier,
    "full": FullClassifier,
    "bias": BiasClassifier,
    "attention-bias": AttentionBiasClassifier,
    "adapter": BottleneckClassifier,
    "lora": LoraClassifier,
    "ssf": ScaledClassifier,
    "snf": FlowClassifier,
    "moment-probing": MomentClassifier,
}

_INSIDE_PLAIN_BLOCKS = {
    "adapter",
    "lora",
    "ssf",
    "snf",
    "gate-vpt",
    "attention-bias",
    "da-vpt-plus",
}
"""Methods that say what each block computes, or put their own weights into its projections."""


def build(
    method: str,
    backbone: Backbone,
    num_classes: int,
    prompts: Float[Tensor, "M P D"] | None,
    *,
    frozen: bool = False,
    **options: Any,
) -> Classifier:
    """Make the model of a method, where the backbone is and in its floating type.

    Args:
        method: a name of `METHODS`; it decides the class.
        backbone: frozen.
        num_classes: C.
        prompts: the first prompts, for a method that has any.
        frozen: whether the prompts stay as they are, and the head alone is trained.
        options: of the method alone, by the last word of each of its `Method.options`; those left
            out are as the method has them.

    Raises:
        RecipeError: the method does not work on this backbone.
    """
    _check_blocks(method, backbone)
    if prompts is None:
        model = _WITHOUT_PROMPTS[method](backbone, num_classes, **options)
    else:
        owner = _WITH_PROMPTS[method]
        model = owner(backbone, num_classes, prompts, frozen=frozen, **options)
    return model.to(backbone.device, backbone.dtype)


def _check_blocks(method: str, backbone: Backbone) -> None:
    """Refuse blocks whose inside a method does not know, and parts that it cannot train."""
    trunk, other = backbone.trunk, not_plain(backbone.trunk.blocks)
    has_learned_rotations = any(name.startswith("rope.") for name, _ in trunk.named_parameters())
    if method in _INSIDE_PLAIN_BLOCKS and other is not None:
        why = f"its blocks are of type {other}, expected those of a plain ViT"
    elif method == "full" and has_learned_rotations:
        why = "its rotary positions are learned, and they are not trained on"
    else:
        return
    raise RecipeError(
        f"method {method} on backbone {backbone.spec.name}: {why}; choose another method, such as "
        "spt-deep"
    )
