"""The scores of a plain block are those that its attention is the softmax of."""

import pytest
import torch
from torch import Tensor

from tests.fakes.other_trunks import other_trunk
from tests.fakes.tiny import tiny_trunk
from trainer.errors import DataError
from trainer.measures.attention import attention_scores

D, B = 16, 2
VARIANTS = {"plain": {}, "qk-norm": {"qk_norm": True}, "no-qkv-bias": {"qkv_bias": False}}


def draw(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0)).double()


@pytest.mark.parametrize("variant", VARIANTS)
def test_their_softmax_makes_timms_block(variant: str):
    trunk = tiny_trunk(**VARIANTS[variant]).double()
    block, tokens = trunk.blocks[1], draw(B, 7, D)
    weights = attention_scores(block, tokens, tokens).softmax(dim=-1)
    values = block.attn.qkv(block.norm1(tokens)).unflatten(-1, (3, 2, 8))[:, :, 2]
    mixed = torch.einsum("bhrt,bthd->brhd", weights, values).flatten(2)
    torch.testing.assert_close(block.attn.proj(mixed), block.attn(block.norm1(tokens)))


def test_they_are_of_plain_blocks_alone():
    block = other_trunk("beit_base_patch16_224").blocks[0]
    with pytest.raises(DataError, match="attention of blocks of type Block: expected"):
        attention_scores(block, draw(1, 2, 32).float(), draw(1, 3, 32).float())
