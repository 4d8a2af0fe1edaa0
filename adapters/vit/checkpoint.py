"""The tensors of a checkpoint file, and what their names say it is, against what its name says.

Reads safetensors, PyTorch files and numpy's .npz, never executing what is in them. Knows
nothing of models. The two supervised IN-21k checkpoints have the same tensors under the same
names, but for one layer after the trunk: only the original has `pre_logits`, and a fine-tuned
file has lost it.
"""

from collections.abc import Collection
from pathlib import Path
from typing import Final

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from timm.models import is_model_pretrained
from torch import Tensor

from adapters.errors import WeightsError
from adapters.vit.families import architecture_of, family_of
from adapters.vit.layouts.torchscript import is_torchscript, read_torchscript

_PYTORCH = (".pth", ".pt", ".bin", ".tar")
_WRAPPERS = ("model", "state_dict")


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Return every tensor of a .safetensors, .pth, .pt, .bin, .tar or .npz file.

    Of a PyTorch file that wraps them in `model` or `state_dict`, the wrapped ones.

    Raises:
        WeightsError: missing, damaged, of another kind, or holding more than tensors.
    """
    if not path.is_file():
        raise WeightsError(f"weights file {path} does not exist; check the path")
    if path.suffix == ".safetensors":
        return _read_safetensors(path)
    if path.suffix == ".npz":
        return _read_npz(path)
    if path.suffix in _PYTORCH:
        return _read_pytorch(path)
    raise WeightsError(
        f"weights file {path}: expected .safetensors, {', '.join(_PYTORCH)} or .npz, "
        f"found {path.suffix or 'no suffix'}"
    )


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise WeightsError(
            f"weights file {path} cannot be read ({error}); fetch it again"
        ) from error


def _read_npz(path: Path) -> dict[str, Tensor]:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {name: torch.from_numpy(arrays[name]) for name in arrays.files}
    except Exception as error:  # all that bytes may provoke: zip, zlib and numpy have their own
        raise WeightsError(
            f"weights file {path} is damaged or holds more than arrays of numbers "
            f"({type(error).__name__}); fetch it again"
        ) from error


def _read_pytorch(path: Path) -> dict[str, Tensor]:
    try:
        if is_torchscript(path):
            return read_torchscript(path)
        checkpoint: object = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # all that bytes may provoke; torch's text advises to run their code
        raise WeightsError(
            f"weights file {path} is damaged or holds more than tensors "
            f"({type(error).__name__}); fetch it again, or save its tensors as .safetensors"
        ) from error
    for wrapper in _WRAPPERS:
        if isinstance(checkpoint, dict) and isinstance(checkpoint.get(wrapper), dict):
            checkpoint = checkpoint[wrapper]
    if not isinstance(checkpoint, dict):
        raise WeightsError(f"weights file {path} holds a {type(checkpoint).__name__}, not tensors")
    return {str(key): value for key, value in checkpoint.items() if isinstance(value, Tensor)}


_ORIGINAL, _ORIGINAL_FINE_TUNED, _AUGREG = "orig_in21k", "orig_in21k_ft_in1k", "augreg_in21k"
_PRE_LOGITS = ("pre_logits.", "pre_logits/")


def contradiction(name: str, keys: Collection[str], *, google: bool) -> str | None:
    """Return why a file cannot be the checkpoint that `name` asks for, or None.

    Args:
        name: the backbone's name; one without a known tag asks for nothing in particular.
        keys: of the file, without prefixes, classifiers and all.
        google: whether the file is one of Google's .npz. Elsewhere the pre-logits may have been
            left out, so that there only their presence says something.
    """
    family, tag = family_of(name), name.partition(".")[2]
    if family.name == "other":
        return None
    asked = f"BACKBONE={name} asks for another ({family.origin})"
    if _has_pre_logits(keys):
        holds = "holds pre_logits, so it is the original IN-21k checkpoint"
        return None if tag == _ORIGINAL else f"{holds}, and {asked}; {_advice(name, _ORIGINAL)}"
    if not google or family.name == "augreg" or tag == _ORIGINAL_FINE_TUNED:
        return None
    holds = "is a supervised .npz without pre_logits, so it is AugReg's or fine-tuned"
    return f"{holds}, and {asked}; {_advice(name, _AUGREG)}"


def untold(name: str, keys: Collection[str]) -> str | None:
    """Return which tag would say what one of Google's .npz files is, if `name` has none."""
    if "." in name:
        return None
    if _has_pre_logits(keys):
        return f"the original IN-21k checkpoint; {_advice(name, _ORIGINAL)}"
    return f"AugReg's checkpoint or a fine-tuned one; {_advice(name, _AUGREG)}"


_PARTS: Final = {
    "norm_pre.": "CLIP's norm before the first block, as vit_base_patch16_clip_224",
    "reg_token": "register tokens, as vit_base_patch14_reg4_dinov2",
    "attn_pool.": "SigLIP's attention pooling, as vit_base_patch16_siglip_224",
    "dist_token": "a distillation token, as deit_base_distilled_patch16_224",
}
"""Parts that not every trunk has, by the starts of their keys, and who has them."""

_FOREIGN: Final = {
    ("storage_tokens", "rope_embed."): "Meta's own DINOv3",
    ("vision_model.", "vit.", "embeddings.", "encoder.layer."): "Hugging Face transformers",
}
"""Layouts that are not read, by the starts of their keys."""


def origin_hint(name: str, missing: Collection[str], unexpected: Collection[str]) -> str:
    """Return what to do about keys that only the trunk or only the file has."""
    if _any_starts(unexpected, ("base_encoder.", "module.base_encoder.")):
        return f"it is a MoCo v3 pre-training file: set BACKBONE={architecture_of(name)}.mocov3"
    if _any_starts(unexpected, ("decoder_",)):
        return f"it is an MAE pre-training file: {_advice(name, 'mae')}"
    for starts, whose in _FOREIGN.items():
        if _any_starts(unexpected, starts):
            return f"its names are those of {whose}: take timm's file of the same checkpoint"
    advice = "check that BACKBONE names the checkpoint's model"
    for start, part in _PARTS.items():
        if _any_starts(unexpected, (start,)):
            return f"the file has {part}: {advice}"
        if _any_starts(missing, (start,)):
            return f"the file lacks {part}: {advice}"
    return advice


def _has_pre_logits(keys: Collection[str]) -> bool:
    return _any_starts(keys, _PRE_LOGITS)


def _any_starts(keys: Collection[str], starts: tuple[str, ...]) -> bool:
    return any(key.startswith(starts) for key in keys)


def _advice(name: str, tag: str) -> str:
    right = f"{architecture_of(name)}.{tag}"
    if not is_model_pretrained(right):
        return f"timm knows no {right}, so check BACKBONE and the file"
    return f"if that is what you want, set BACKBONE={right}"
