"""Every ViT of the installed timm is exact at depth 2, or refused with a reason.

Of architectures that are built of the same parts, one is computed, in miniature.
"""

from functools import cache
from itertools import product

import timm
import torch
from torch import nn

from adapters.vit.architecture import why_refused
from adapters.vit.catalogue import architectures, without_memory
from adapters.vit.read_out import poolings_of
from adapters.vit.trunk import Trunk
from tests.fakes.both_forms import METHODS, difference
from tests.fakes.tiny import read_out, tiny_backbone, with_random_weights

NARROW = {"embed_dim": 32, "num_heads": 2}


@cache
def built() -> dict[str, nn.Module]:
    """Return every architecture at depth 2, without memory."""
    with without_memory():
        return {name: shallow(name) for name in architectures()}


def shallow(name: str) -> nn.Module:
    try:
        return timm.create_model(name, num_classes=0, depth=2)
    except AssertionError:  # some say of each of their blocks how many heads it has
        return timm.create_model(name, num_classes=0)


def parts(trunk: Trunk) -> tuple[object, ...]:
    """Return what a trunk is built of, but for its sizes."""
    block = trunk.blocks[0]
    ours = (
        *_of(trunk, "patch_embed norm_pre norm fc_norm attn_pool rope"),
        *_of(block, "norm1 attn ls1 mlp"),
        *_of(block.attn, "q_norm norm qkv"),
        block.mlp.act,
    )
    return (
        *(type(part).__name__ for part in (trunk, *ours)),
        *(part is None for part in _of(trunk, "cls_token reg_token pos_embed")),
        *_of(trunk, "no_embed_class dynamic_img_size pool_include_prefix rope_mixed"),
        *(part is None for part in _of(block, "gamma_1 gamma_2")),
        *(part is None for part in _of(block.attn, "q_bias relative_position_bias_table")),
        *(getattr(block.attn.qkv, "bias", None) is None, block.attn.proj.bias is None),
    )


def _of(owner: nn.Module, names: str) -> list[object]:
    return [getattr(owner, name, None) for name in names.split()]


@cache
def kinds() -> dict[tuple[object, ...], str]:
    """Return one accepted architecture of each kind."""
    accepted = (name for name, model in built().items() if why_refused(model) is None)
    return {parts(built()[name]): name for name in accepted}


def small(name: str) -> Trunk:
    """Return an architecture with few patches and two blocks, narrow if it can be, in float64."""
    embed = built()[name].patch_embed
    width = {} if isinstance(embed.proj, nn.Identity) else NARROW
    size = 2 * embed.feat_ratio()
    trunk = timm.create_model(name, img_size=size, num_classes=0, depth=2, **width)
    return with_random_weights(trunk).double()


def test_every_architecture_is_taken_or_refused_with_a_reason():
    reasons = {name: why_refused(model) for name, model in built().items()}
    assert len(reasons) > 250
    assert all(
        reason is None or reason.startswith(("it ", "its ", "timm ")) for reason in reasons.values()
    )
    assert sum(reason is None for reason in reasons.values()) > 150


def test_every_kind_of_architecture_is_exact_under_all_prompts_and_read_outs():
    assert len(kinds()) > 10
    for name in kinds().values():
        trunk = small(name)
        pixels = torch.randn(2, 3, *trunk.patch_embed.img_size, dtype=torch.float64)
        spec = tiny_backbone(trunk, dtype=torch.float64).spec
        for pooling, method in product(poolings_of(trunk), METHODS):
            read = spec.model_copy(update=read_out(pooling))
            error = difference(trunk, read, method, pixels, prompts=3)
            assert error < 1e-10, (name, pooling, method)
