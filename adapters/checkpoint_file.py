"""The tensors of a checkpoint file, under the file's own names.

Reads safetensors, PyTorch files and numpy's .npz, never executing what is in them. Knows
nothing of models.
"""

from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from adapters.errors import WeightsError

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
    except Exception as error:  # whatever the bytes provoke: zip, zlib and numpy have their own
        raise WeightsError(
            f"weights file {path} is damaged or holds more than arrays of numbers "
            f"({type(error).__name__}); fetch it again"
        ) from error


def _read_pytorch(path: Path) -> dict[str, Tensor]:
    try:
        checkpoint: object = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever the bytes provoke; torch's text advises to run their code
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
