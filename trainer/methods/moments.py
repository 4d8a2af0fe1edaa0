"""Moment probing (Gao et al. 2023): a linear probe on first and second moments of tokens.

"Tuning pre-trained model via moment probing", called MP in the paper's Table 3. MP+, which also
recalibrates features inside the trunk, is another method and left out.
Axis letters: B batch, N patches, D width, C classes, m width of a head.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from adapters.vit.backbone import Backbone
from adapters.vit.prompting import bare_tokens, pool, rows_read
from adapters.vit.read_out import final_norm
from trainer.methods.classifier import HEAD_STD, Classifier

HIDDEN, NUM_HEADS = 512, 4
_KERNEL, _STRIDE = 3, 2


class MomentClassifier(Classifier):
    """The mean of two sets of logits: the head's on the pooled feature, `moments`' on patches.

    Patches are read after the final norm, whichever side of the pooling the head has it on.
    """

    def __init__(self, backbone: Backbone, num_classes: int, *, uncentred: bool = False) -> None:
        super().__init__(backbone, num_classes)
        self.moments = SecondMoments(backbone.spec.width, num_classes, uncentred=uncentred)

    def is_head(self, name: str) -> bool:
        """Whether it is of one of the two heads; see `Classifier.is_head`."""
        return super().is_head(name) or name.startswith("moments.classify.")

    def forward(self, pixels: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B C"]:
        """Return the logits of normalised images."""
        trunk, spec = self.backbone.trunk, self.backbone.spec
        tokens = bare_tokens(trunk, pixels, len(trunk.blocks))
        first = pool(trunk, spec, tokens[:, rows_read(trunk, spec, tokens.shape[1])])
        patches = final_norm(trunk)(tokens[:, trunk.num_prefix_tokens :])
        return (self.head(first) + self.moments(patches)) / 2


class SecondMoments(nn.Module):
    """Multi-head convolutional cross-covariance (MHC3) and a linear classifier on it.

    Patches are projected to 512 channels in four heads, each under a LayerNorm; each head's
    covariance with the next is a map of 128 x 128, its columns of length one. Two convolutions
    shrink the three maps to 31 x 31.

    Attributes:
        uncentred: as in the authors' code, a head has one mean for all patches and channels. After
            the LayerNorm that is near zero, so the moments are about zero. Without it each
            channel has its own mean, as a covariance has.
    """

    def __init__(self, width: int, num_classes: int, *, uncentred: bool) -> None:
        super().__init__()
        self.uncentred = uncentred
        head_width, num_maps = HIDDEN // NUM_HEADS, NUM_HEADS - 1
        self.project = nn.Linear(width, HIDDEN)
        self.norm = nn.LayerNorm(head_width)
        self.shrink = nn.Sequential(
            nn.Conv2d(num_maps, num_maps, _KERNEL, _STRIDE, bias=False),
            nn.GELU(),
            nn.Conv2d(num_maps, num_maps, _KERNEL, _STRIDE, bias=False),
        )
        self.classify = nn.Linear(num_maps * _shrunk(_shrunk(head_width)) ** 2, num_classes)
        nn.init.trunc_normal_(self.classify.weight, std=HEAD_STD)
        nn.init.zeros_(self.classify.bias)

    def forward(self, patches: Float[Tensor, "B N D"]) -> Float[Tensor, "B C"]:
        """Return the logits of images by the second moments of their patches."""
        return self.classify(self.shrink(self.covariances(patches)).flatten(1))

    def covariances(self, patches: Float[Tensor, "B N D"]) -> Float[Tensor, "B 3 m m"]:
        """Return the moments of each head with the next, columns of length one."""
        heads = self.norm(self.project(patches).unflatten(-1, (NUM_HEADS, -1)))
        centred = heads - heads.mean(dim=(1, 3) if self.uncentred else 1, keepdim=True)
        maps = torch.einsum("bnhi,bnhj->bhij", centred[:, :, :-1], centred[:, :, 1:])
        return F.normalize(maps / patches.shape[1], dim=2)


def _shrunk(side: int) -> int:
    """Return the side of a map after one convolution."""
    return (side - _KERNEL) // _STRIDE + 1
