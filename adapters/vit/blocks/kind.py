"""What a kind of block says of itself, so that prompts can act on it as keys and values.

A kind has no state: blocks are timm's, and hold every tensor. Keys and values travel together as
`[B, T, 2, h, d]`, as most projections write them, so that a prefix is joined to them by one copy.

Axis letters: B batch, T tokens, P prefix, S = P + T keys, R rows read, D width, h heads, d head
width, A = h·d.
"""

from typing import Any, Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from adapters.vit.blocks.projection import Projection

Tokens = Float[Tensor, "B T D"]
Queries = Float[Tensor, "B R h d"]
KeysValues = Float[Tensor, "B T 2 h d"]


@runtime_checkable
class Kind(Protocol):
    """How the blocks of one kind compute. Tokens have been through the block's first norm.

    Tokens of an image have places, from 0: class token, registers, patches, and after them the
    prompts that travel with them.
    """

    def heads(self, block: Any) -> tuple[int, int]:
        """Return how many heads keys and values have, and how wide each is."""

    def queries_keys_values(self, block: Any, normed: Tokens) -> tuple[Queries, KeysValues]:
        """Return those of all tokens of an image, by one product if the block has one."""

    def queries(self, block: Any, normed: Float[Tensor, "B R D"], place: int) -> Queries:
        """Return the queries of tokens in a row, the first of which is in this place."""

    def keys_values(self, block: Any, normed: Tokens, *, placed: bool) -> KeysValues:
        """Return the keys and values of all tokens of an image, or of prompts without places."""

    def scores(
        self, block: Any, query: Float[Tensor, "B h d"], normed: Tokens
    ) -> Float[Tensor, "B h T"]:
        """Return `q · k` of one query and the keys of all tokens of an image."""

    def values(self, block: Any) -> Projection:
        """Return what makes values of tokens."""

    def bias(self, block: Any, normed: Tokens, rows: slice) -> Float[Tensor, "h R T"] | None:
        """Return what is added to the scores of some of these tokens and all, if anything is."""

    def after(
        self, block: Any, kept: Float[Tensor, "B R D"], mixed: Float[Tensor, "B R A"]
    ) -> Float[Tensor, "B R D"]:
        """Return the outputs for the rows that are kept, given what attention made of them."""
