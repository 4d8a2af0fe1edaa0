"""Put a checkpoint's tensors into a trunk, strictly, and take their digest.

Reads safetensors, PyTorch files (never executing them) and Google's .npz. Knows nothing of
adapters.
"""

import hashlib
from importlib import resources
from pathlib import Path

import timm
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor

from adapters.errors import WeightsError
from adapters.spec import EMBEDDED

_WRAPPERS = ("model", "state_dict")
_PREFIXES = ("module.base_encoder.", "module.")
_HEADS = ("head.", "head_dist.", "fc_norm.", "pre_logits.")


def load_weights(trunk: VisionTransformer, name: str, source: Path | None) -> None:
    """Fill the trunk's parameters.

    Args:
        trunk: as `create_trunk(name)` made it.
        name: which backbone; decides where weights come from when there is no `source`.
        source: a .safetensors, .pth, .pt, .bin or .npz file; None takes the file that ships
            with the package for the embedded backbone, and timm's hub for any other.

    Raises:
        WeightsError: missing, unreadable, unreachable, or keys and shapes differ.
    """
    if source is not None and source.suffix == ".npz":
        _load_npz(trunk, source)
    else:
        _load_strictly(trunk, _read(name, source), source or name)


def digest(trunk: VisionTransformer) -> str:
    """Return the sha256 of all tensors of the trunk as float32, in order of their names.

    The same weights have the same digest whatever file format they came from.
    """
    sha = hashlib.sha256()
    for key, tensor in sorted(trunk.state_dict().items()):
        sha.update(f"{key} {tuple(tensor.shape)}\n".encode())
        sha.update(tensor.detach().float().cpu().contiguous().numpy().tobytes())
    return sha.hexdigest()


def _read(name: str, source: Path | None) -> dict[str, Tensor]:
    if source is not None:
        return _read_file(source)
    if name == EMBEDDED:
        packaged = resources.files("adapters") / "embedded" / f"{EMBEDDED}.safetensors"
        with resources.as_file(packaged) as path:
            return _read_file(path)
    try:
        return timm.create_model(name, pretrained=True, num_classes=0).state_dict()
    except Exception as error:  # the hub client's errors are many and not all its own
        raise WeightsError(
            f"backbone {name}: its weights cannot be had from timm's hub "
            f"({type(error).__name__}: {str(error)[:200]}); download the checkpoint elsewhere and "
            "name the file: WEIGHTS=path/to/weights.safetensors"
        ) from error


def _read_file(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise WeightsError(f"weights file {path} does not exist; check the path")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        if path.suffix in {".pth", ".pt", ".bin", ".tar"}:
            return _unwrap(_load_tensors(path), path)
    except (SafetensorError, OSError, RuntimeError, EOFError, ValueError) as error:
        raise WeightsError(
            f"weights file {path} cannot be read ({error}); fetch it again"
        ) from error
    raise WeightsError(
        f"weights file {path}: expected .safetensors, .pth, .pt, .bin, .tar or .npz, "
        f"found {path.suffix or 'no suffix'}"
    )


def _load_tensors(path: Path) -> object:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever the bytes provoke; torch's text advises to run their code
        raise WeightsError(
            f"weights file {path} is damaged or holds more than tensors "
            f"({type(error).__name__}); fetch it again, or save its tensors as .safetensors"
        ) from error


def _unwrap(checkpoint: object, path: Path) -> dict[str, Tensor]:
    for wrapper in _WRAPPERS:
        if isinstance(checkpoint, dict) and isinstance(checkpoint.get(wrapper), dict):
            checkpoint = checkpoint[wrapper]
    if not isinstance(checkpoint, dict):
        raise WeightsError(f"weights file {path} holds a {type(checkpoint).__name__}, not tensors")
    tensors = {str(k): v for k, v in checkpoint.items() if isinstance(v, Tensor)}
    for prefix in _PREFIXES:
        inner = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
        if inner:
            return inner
    return tensors


def _load_npz(trunk: VisionTransformer, source: Path) -> None:
    if not source.is_file():
        raise WeightsError(f"weights file {source} does not exist; check the path")
    try:
        trunk.load_pretrained(str(source))
    except Exception as error:  # timm's reader raises whatever the arrays provoke
        raise WeightsError(
            f"weights file {source} does not fit the architecture ({error}); check BACKBONE"
        ) from error


def _load_strictly(
    trunk: VisionTransformer, tensors: dict[str, Tensor], source: Path | str
) -> None:
    wanted = trunk.state_dict()
    found = {k: v for k, v in tensors.items() if not k.startswith(_HEADS)}
    missing = sorted(wanted.keys() - found.keys())
    unexpected = sorted(found.keys() - wanted.keys())
    shapes = [
        f"{k} is {tuple(found[k].shape)}, expected {tuple(wanted[k].shape)}"
        for k in sorted(wanted.keys() & found.keys())
        if found[k].shape != wanted[k].shape
    ]
    if missing or unexpected or shapes:
        raise WeightsError(
            f"weights from {source} do not fit the architecture; missing: {missing[:5] or 'none'}, "
            f"unexpected: {unexpected[:5] or 'none'}, shapes: {shapes[:3] or 'all right'}; "
            "check that BACKBONE names the checkpoint's model"
        )
    trunk.load_state_dict(found, strict=True)
