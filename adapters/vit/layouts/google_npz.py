"""The layout of Google's .npz checkpoints: which arrays make which tensor of a trunk, and how.

Their kernels have the input first and the heads apart; torch has the output first and the
heads, and query, key and value, in one matrix.
"""

import re

from torch import Tensor

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
