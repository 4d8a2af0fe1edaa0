"""DA-VPT (Ren et al. 2025): the last block's prompts are proxies of classes that look alike.

"DA-VPT: semantic-guided visual prompt tuning for vision transformers", by the authors' code. Each
class belongs to a prompt of the last block, by k-means of the classes' mean features. The loss adds
Proxy-Anchor losses (Kim et al. 2020, with the code's mean over all proxies) between these prompts
and, of each image, the mean patch token and the class token's query, as they enter that block. All
this serves training alone: the artifact has plain prompts.

Two things differ from the code: the last block has as many prompts as the others, not half of them,
and k-means is this package's own.

DA-VPT+ also learns the bias of every block's values. Attention's weights sum to one, so it is a
constant after the attention, which the artifact holds. The paper learns the bias of keys, too;
softmax ignores it.

Axis letters: B batch, C classes, L layers, P prompts, D width, A width of all heads together.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from adapters.vit.backbone import Backbone
from adapters.vit.blocks.attention import heads_of
from adapters.vit.blocks.known import kind_of
from adapters.vit.prompting import bare_tokens, entering_last, read_last
from trainer.errors import RecipeError
from trainer.methods.attention_bias import after_attention
from trainer.methods.prompted import PromptedClassifier

WEIGHT = 0.05
"""Of both losses: the default of the authors' model for segmentation. Theirs for recognition are
tuned by task, and not at hand."""
_ALPHA, _MARGIN = 32.0, 0.1


class GuidedClassifier(PromptedClassifier):
    """Deep prompts, those of the last block guided towards what their classes look like.

    Attributes:
        prompt_of: of each class, from 0; see `trainer/inits/class_map.py`.

    Raises:
        RecipeError: the backbone has no class token, or its queries have another width.
    """

    prompt_of: Tensor

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int,
        prompts: Float[Tensor, "L P D"],
        *,
        frozen: bool = False,
    ) -> None:
        super().__init__(backbone, num_classes, prompts, frozen=frozen)
        heads, head_width = heads_of(backbone.trunk.blocks[-1])
        if backbone.trunk.cls_token is None or heads * head_width != backbone.spec.width:
            raise RecipeError(
                f"method da-vpt on backbone {backbone.spec.name}: expected a class token whose "
                "queries are as wide as prompts; choose another method, such as vpt-deep"
            )
        self.register_buffer("prompt_of", torch.arange(num_classes) % prompts.shape[1])
        self._entered: Tensor | None = None

    def features(self, pixels: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B D"]:
        """Return what the head sees under the prompts; training looks at what enters the end."""
        trunk, spec, deep = self.backbone.trunk, self.backbone.spec, self._deep_rows(len(pixels))
        bare = bare_tokens(trunk, pixels, spec.depth - len(self.prompts))
        entered = entering_last(trunk, bare, deep)
        self._entered = entered if torch.is_grad_enabled() else None
        return read_last(trunk, spec, entered, deep)

    def penalty(self, labels: Int64[Tensor, " B"]) -> Tensor | float:
        """Return how far prompts are from their classes, of the images of the last forward."""
        entered, self._entered = self._entered, None
        if entered is None or not self.prompts.requires_grad:
            return 0.0
        trunk, block = self.backbone.trunk, self.backbone.trunk.blocks[-1]
        entered = entered.to(self.prompts.dtype)
        patches = entered[:, trunk.num_prefix_tokens :].mean(dim=1)
        queries = kind_of(block).queries(block, block.norm1(entered[:, :1]), 0).flatten(1)
        proxies = self.prompts[-1]
        own = F.one_hot(self.prompt_of[labels.to(entered.device)], len(proxies)).bool()
        return WEIGHT * (proxy_anchor(patches, proxies, own) + proxy_anchor(queries, proxies, own))


class BiasedGuidedClassifier(GuidedClassifier):
    """DA-VPT+: guided prompts, and a bias of every block's values.

    Attributes:
        value_biases: `[L, A]`, added to the trunk's own; they start at zero.
    """

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int,
        prompts: Float[Tensor, "L P D"],
        *,
        frozen: bool = False,
    ) -> None:
        super().__init__(backbone, num_classes, prompts, frozen=frozen)
        self.value_biases = nn.Parameter(torch.zeros(len(prompts), backbone.spec.width))

    def changes(self) -> dict[str, Tensor]:
        """Return prompts, and what the biases come to; see `Classifier.changes`."""
        blocks = self.backbone.trunk.blocks
        projected = [
            F.linear(bias, block.attn.proj.weight)
            for block, bias in zip(blocks, self.value_biases, strict=True)
        ]
        return super().changes() | {"biases": after_attention(self.backbone, projected)}


def proxy_anchor(
    samples: Float[Tensor, "B D"], proxies: Float[Tensor, "P D"], own: Bool[Tensor, "B P"]
) -> Float[Tensor, ""]:
    """Return the Proxy-Anchor loss: a mean over proxies.

    Of a proxy it is `log(1 + Σ exp(-32·(s - 0.1)))` over its own samples, and
    `log(1 + Σ exp(32·(s + 0.1)))` over the others.

    Args:
        samples: one of each image.
        proxies: s is their cosine with a sample.
        own: which proxy is the sample's.
    """
    cosine = F.normalize(samples, dim=-1) @ F.normalize(proxies, dim=-1).T
    near = _log_sum(-_ALPHA * (cosine - _MARGIN), own)
    far = _log_sum(_ALPHA * (cosine + _MARGIN), ~own)
    return near.mean() + far.mean()


def _log_sum(exponents: Float[Tensor, "B P"], counted: Bool[Tensor, "B P"]) -> Float[Tensor, " P"]:
    """Return `log(1 + Σ exp)` over the samples that count for each proxy."""
    kept = exponents.masked_fill(~counted, -torch.inf)
    return torch.cat([kept, torch.zeros_like(kept[:1])]).logsumexp(dim=0)
