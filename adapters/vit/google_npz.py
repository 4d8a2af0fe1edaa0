"""The layout of Google's .npz checkpoints: which arrays make which tensor of a trunk, and how.

Their kernels have the input first and the heads apart; torch has the output first and the
heads, and query, key and value, in one matrix. Axis letters: N patches, D width.
"""

import logging
import math
import re

from jaxtyping import Float
from timm.layers import resample_abs_pos_embed
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor

_log = logging.getLogger(__name__)

_TRUNK = {
    "cls_token": "cls",
    "pos_embed": "Transformer/posembed_input/pos_embedding",
    "patch_embed.proj.weight": "embedding/kernel",
    "patch_embed.proj.bias": "embedding/bias",
    "norm.weight": "Transformer/encoder_norm/scale",
    "norm.bias": "Transformer/encoder_norm/bias",
}
_ATTENTION = "MultiHeadDotProductAttention_1"
_INPUTS = ("query", "key", "value")
_BLOCK = {
    "norm1.weight": ("LayerNorm_0/scale",),
    "norm1.bias": ("LayerNorm_0/bias",),
    "attn.qkv.weight": tuple(f"{_ATTENTION}/{part}/kernel" for part in _INPUTS),
    "attn.qkv.bias": tuple(f"{_ATTENTION}/{part}/bias" for part in _INPUTS),
    "attn.proj.weight": (f"{_ATTENTION}/out/kernel",),
    "attn.proj.bias": (f"{_ATTENTION}/out/bias",),
    "norm2.weight": ("LayerNorm_2/scale",),
    "norm2.bias": ("LayerNorm_2/bias",),
    "mlp.fc1.weight": ("MlpBlock_3/Dense_0/kernel",),
    "mlp.fc1.bias": ("MlpBlock_3/Dense_0/bias",),
    "mlp.fc2.weight": ("MlpBlock_3/Dense_1/kernel",),
    "mlp.fc2.bias": ("MlpBlock_3/Dense_1/bias",),
}
_LATER_NAMES = {
    r"^pos_embedding$": "Transformer/posembed_input/pos_embedding",
    r"/MultiHeadDotProductAttention_0/": f"/{_ATTENTION}/",
    r"/MlpBlock_0/": "/MlpBlock_3/",
    r"/LayerNorm_1/": "/LayerNorm_2/",
}


def arrays_of(key: str) -> tuple[str, ...]:
    """Return the names of the arrays that make the trunk's tensor `key`, in order.

    A tensor that Google's ViT does not have keeps its own name, under which it will be missing.
    """
    if key in _TRUNK:
        return (_TRUNK[key],)
    block = re.fullmatch(r"blocks\.(\d+)\.(.+)", key)
    if block and block[2] in _BLOCK:
        return tuple(f"Transformer/encoderblock_{block[1]}/{part}" for part in _BLOCK[block[2]])
    return (key,)


def in_torch_layout(arrays: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the arrays turned as torch has them, under the names that the ViT paper's code uses.

    Google's later code (big_vision) numbers some of them otherwise.
    """
    return {(usual := _usual_name(name)): _turned(usual, array) for name, array in arrays.items()}


def fit_positions(
    trunk: VisionTransformer, positions: Float[Tensor, "1 M D"], source: str
) -> Float[Tensor, "1 N D"]:
    """Resample position embeddings of another square grid to the trunk's, and log that.

    Bilinear, as Google's code does it. What is no grid is returned as it is.
    """
    prefix = 0 if trunk.no_embed_class else trunk.num_prefix_tokens
    height, width = trunk.patch_embed.grid_size
    count = positions.shape[1] - prefix
    side = math.isqrt(max(count, 0))
    if count == height * width or side == 0 or side * side != count:
        return positions
    _log.warning(
        "%s: position embeddings of %dx%d patches resampled to the backbone's %dx%d",
        source,
        side,
        side,
        height,
        width,
    )
    return resample_abs_pos_embed(
        positions.float(),
        new_size=[height, width],
        num_prefix_tokens=prefix,
        interpolation="bilinear",
        antialias=False,
    )


def _usual_name(name: str) -> str:
    for later, usual in _LATER_NAMES.items():
        name = re.sub(later, usual, name)
    return name


def _turned(name: str, array: Tensor) -> Tensor:
    if name.endswith(("/bias", "/scale")):
        return array.flatten()
    if not name.endswith("/kernel") or array.ndim < 2:
        return array
    if array.ndim == 4:
        return array.permute(3, 2, 0, 1)
    heads_last = name.split("/")[-2] in _INPUTS
    return (array.flatten(1) if heads_last else array.flatten(0, -2)).T
