"""Put a checkpoint's tensors into a trunk, strictly, and take their digest.

Every tensor of the trunk must be in the file with its shape, and every tensor of the file must be
the trunk's or one that the checkpoint's family ignores by name. Knows nothing of adapters.
"""

import hashlib
import logging
from collections.abc import Collection
from importlib import resources
from pathlib import Path

import timm
import torch
from torch import Tensor

from adapters.artifact.backbone_spec import EMBEDDED
from adapters.errors import WeightsError
from adapters.vit.checkpoint import contradiction, origin_hint, read_tensors, untold
from adapters.vit.families import Family, family_of
from adapters.vit.layouts import clip, dinov2, google_npz
from adapters.vit.layouts.positions import fit_positions
from adapters.vit.trunk import Trunk

_log = logging.getLogger(__name__)


def load_weights(trunk: Trunk, name: str, source: Path | None) -> None:
    """Fill the trunk's parameters; if that is refused, the trunk is as it was.

    Args:
        trunk: as `create_trunk(name)` made it; position embeddings of another square grid are
            resampled to its own.
        name: which backbone; decides the checkpoint's family, and where weights come from when
            there is no `source`.
        source: a .safetensors, .pth, .pt, .bin, .tar or .npz file; None takes the file that
            ships with the package for the embedded backbone, and timm's hub for any other.

    Raises:
        WeightsError: missing, unreadable, unreachable, another checkpoint than the name says, or
            keys and shapes differ.
    """
    family, google = family_of(name), source is not None and source.suffix == ".npz"
    tensors = _in_timms_names(_without_prefix(_read(name, source), family))
    _check_content(name, tensors, source, google=google)
    found = {key: value for key, value in tensors.items() if not key.startswith(family.ignored)}
    if google:
        found = google_npz.in_torch_layout(found)
    parts = {key: google_npz.arrays_of(key) if google else (key,) for key in trunk.state_dict()}
    state = _joined(parts, found, source or name)
    if state.get("pos_embed", torch.empty(0)).ndim == 3:
        place = str(source or name)
        state["pos_embed"] = fit_positions(trunk, state["pos_embed"], place, google=google)
    _check_fit(trunk, name, source, state, {part for own in parts.values() for part in own}, found)
    trunk.load_state_dict(state, strict=True)


def digest(trunk: Trunk) -> str:
    """Return the sha256 of all tensors of the trunk as float32, in order of their names.

    The same weights have the same digest in every file format.
    """
    sha = hashlib.sha256()
    for key, tensor in sorted(trunk.state_dict().items()):
        sha.update(f"{key} {tuple(tensor.shape)}\n".encode())
        sha.update(tensor.detach().float().cpu().contiguous().numpy().tobytes())
    return sha.hexdigest()


def _read(name: str, source: Path | None) -> dict[str, Tensor]:
    if source is not None:
        return read_tensors(source)
    if name == EMBEDDED:
        packaged = resources.files("adapters") / "embedded" / f"{EMBEDDED}.safetensors"
        with resources.as_file(packaged) as path:
            return read_tensors(path)
    if family_of(name).name == "mocov3":
        raise WeightsError(
            f"backbone {name}: timm's hub has no MoCo v3; download vit-b-300ep.pth.tar or "
            "linear-vit-b-300ep.pth.tar of facebookresearch/moco-v3 (vit-s for ViT-S) and name the "
            "file: WEIGHTS=path/to/vit-b-300ep.pth.tar"
        )
    try:
        return timm.create_model(name, pretrained=True, num_classes=0).state_dict()
    except Exception as error:  # the hub client's errors are many and not all its own
        raise WeightsError(
            f"backbone {name}: its weights cannot be had from timm's hub "
            f"({type(error).__name__}: {str(error)[:200]}); download the checkpoint elsewhere and "
            "name the file: WEIGHTS=path/to/weights.safetensors"
        ) from error


def _without_prefix(tensors: dict[str, Tensor], family: Family) -> dict[str, Tensor]:
    occurring = (p for p in family.prefixes if any(key.startswith(p) for key in tensors))
    prefix = next(occurring, "")
    return {key.removeprefix(prefix): value for key, value in tensors.items()}


def _in_timms_names(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    if clip.is_clip(tensors):
        return clip.timm_names(tensors)
    return dinov2.timm_names(tensors) if dinov2.is_dinov2(tensors) else tensors


def _check_content(name: str, keys: Collection[str], source: Path | None, *, google: bool) -> None:
    why = contradiction(name, keys, google=google)
    if why is not None:
        raise WeightsError(f"weights file {source} {why}")
    told = untold(name, keys) if google else None
    if told is not None:
        _log.warning("weights file %s holds %s", source, told)


def _joined(
    parts: dict[str, tuple[str, ...]], found: dict[str, Tensor], source: Path | str
) -> dict[str, Tensor]:
    """Return those of the trunk's tensors of which the file has every part."""
    state = {}
    for key, names in parts.items():
        own = [found[name] for name in names if name in found]
        if len(own) < len(names):
            continue
        try:
            state[key] = own[0] if len(own) == 1 else torch.cat(own)
        except RuntimeError as error:
            shapes = ", ".join(f"{name} {tuple(found[name].shape)}" for name in names)
            raise WeightsError(
                f"weights from {source} do not fit: {key} cannot be joined from {shapes}; "
                "fetch the file again"
            ) from error
    return state


def _check_fit(
    trunk: Trunk,
    name: str,
    source: Path | None,
    state: dict[str, Tensor],
    expected: Collection[str],
    found: Collection[str],
) -> None:
    missing, unexpected = set(expected) - set(found), set(found) - set(expected)
    wanted = trunk.state_dict()
    shapes = [
        f"{key} is {tuple(tensor.shape)}, expected {tuple(wanted[key].shape)}"
        for key, tensor in state.items()
        if tensor.shape != wanted[key].shape
    ]
    if missing or unexpected or shapes:
        raise WeightsError(
            f"weights from {source or name} do not fit {name} ({family_of(name).origin}); "
            f"missing: {_few(missing)}; unexpected: {_few(unexpected)}; "
            f"other shapes: {_few(shapes, 3)}; {origin_hint(name, missing, unexpected)}"
        )


def _few(items: Collection[str], most: int = 5) -> str:
    shown = ", ".join(sorted(items)[:most])
    return f"{len(items)} ({shown}{', ...' if len(items) > most else ''})" if items else "none"
