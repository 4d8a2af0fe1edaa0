"""SPT by random sampling (paper 3.4). Axis letters: B batch, N patches, P prompts, D width."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor


class RandomSample:
    """Tokens drawn uniformly from all tokens of a layer; each once, unless they are replaced.

    The places are drawn before the first token is seen, so that nothing else is kept.
    """

    def __init__(
        self,
        total: int,
        num_tokens: int,
        generator: np.random.Generator,
        *,
        replacement: bool = False,
    ) -> None:
        places = generator.choice(total, num_tokens, replace=replacement)
        self._places = torch.from_numpy(places)
        self._seen = 0
        self._chosen: dict[int, Tensor] = {}

    def add(self, tokens: Float[Tensor, "B N D"]) -> None:
        """Keep the tokens whose places fall into this batch."""
        rows = tokens.flatten(0, 1)
        here = self._places - self._seen
        for slot in torch.nonzero((here >= 0) & (here < len(rows))).flatten().tolist():
            self._chosen[slot] = rows[here[slot]].clone()
        self._seen += len(rows)

    def finish(self) -> Float[Tensor, "P D"]:
        """Return the chosen tokens in the order of the draw."""
        return torch.stack([self._chosen[slot] for slot in range(len(self._places))])

    def facts(self) -> dict[str, object]:
        """Return nothing: the seed says it all."""
        return {}
