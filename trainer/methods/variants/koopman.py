"""PAE (Wang et al. 2026): prompts of successive blocks evolve by one shared linear map.

"Visual prompt-agnostic evolution", its Koopman-Lyapunov system, as in the authors' code with one
operator for all blocks. A prompt is seen as `z = p·W`. The loss adds, for each pair of successive
blocks, `0.5·mean((z·K - z')²)`, and `0.2·s` with s for `V(z·K) - V(z)`, how much the energy
`V(z) = z·Q·z` grows; `Q = LᵀL` has norm one, and z at most one. s is `10·tanh(mean/10)` of the
softplus of the growth. As in the code, the pairs begin with the second block that has prompts.
W, K and L serve training alone: the artifact has plain prompts.

The paper starts the prompts by its frequency shortcuts, `prompt.init=mpa`.

Axis letters: M layers with prompts, P prompts, D width, k Koopman width.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from adapters.vit.backbone import Backbone
from trainer.errors import RecipeError
from trainer.methods.prompted import PromptedClassifier

KOOPMAN_WIDTH = 256
CONSISTENCY, STABILITY = 0.5, 0.2
"""Weights, and k, of the command that the authors print."""
_TINY = 1e-8
_SATURATION = 10.0


class EvolvingClassifier(PromptedClassifier):
    """Deep prompts whose change from block to block is kept near one stable linear map.

    Raises:
        RecipeError: fewer than three blocks have prompts, so that there is no pair.
    """

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int,
        prompts: Float[Tensor, "M P D"],
        *,
        frozen: bool = False,
    ) -> None:
        super().__init__(backbone, num_classes, prompts, frozen=frozen)
        if len(prompts) < 3:
            raise RecipeError(
                f"method pae on backbone {backbone.spec.name}: {len(prompts)} blocks have prompts, "
                "expected three at least; choose another method, such as vpt-deep"
            )
        self.koopman = Koopman(backbone.spec.width)

    def penalty(self, labels: Tensor) -> Tensor:
        """Return how far the prompts are from such an evolution, whatever the images."""
        return self.koopman(self.prompts[1:])


class Koopman(nn.Module):
    """The shared map, and the energy that it should not raise.

    Attributes:
        project: W.
        operator: K, `[k, k]`; it starts as the identity.
        energy: L, likewise.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        narrow = min(KOOPMAN_WIDTH, width)
        self.project = nn.Linear(width, narrow, bias=False)
        self.operator = nn.Parameter(torch.eye(narrow))
        self.energy = nn.Parameter(torch.eye(narrow))

    def forward(self, prompts: Float[Tensor, "M P D"]) -> Float[Tensor, ""]:
        """Return the sum over pairs of successive layers."""
        seen = self.project(prompts)
        before, after = seen[:-1], seen[1:]
        expected = before @ self.operator
        consistency = (expected - after).square().mean(dim=(1, 2))
        form = self.energy.T @ self.energy
        form = form / (torch.linalg.matrix_norm(form, ord=2) + _TINY)
        growth = _energy(form, expected) - _energy(form, before)
        rise = F.softplus(growth).mean(dim=1)
        saturated = _SATURATION * torch.tanh(rise / _SATURATION)
        return (CONSISTENCY * consistency + STABILITY * saturated).sum()


def _energy(form: Float[Tensor, "k k"], z: Float[Tensor, "M P k"]) -> Float[Tensor, "M P"]:
    """Return `z·Q·z`, of z no longer than one."""
    short = z / (z.norm(dim=-1, keepdim=True) + _TINY).clamp_min(1.0)
    return ((short @ form) * short).sum(dim=-1)
