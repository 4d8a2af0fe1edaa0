"""An adapter as bytes and back: one safetensors file whose metadata is one JSON document.

The only module that knows the file format. Never pickle. Format version 1:
tensors `prompts` (absent for a bare head), `head.weight`, `head.bias`, all float32;
metadata `{"spt": <AdapterMeta as JSON>}`.
"""

import hashlib
import json
import re

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from adapters.adapter import Adapter, AdapterMeta
from adapters.errors import ArtifactCorrupt

VERSION = re.compile(r"[0-9a-f]{64}")
_METADATA_KEY = "spt"
_MAX_HEADER = 10_000_000


def version_of(data: bytes) -> str:
    """Return an artifact's version: the sha256 of its bytes, 64 hex digits."""
    return hashlib.sha256(data).hexdigest()


def short(version: str) -> str:
    """Return the 12 hex digits that people read."""
    return version[:12]


def encode(adapter: Adapter) -> bytes:
    """Return the artifact of an adapter; the same adapter gives the same bytes."""
    tensors = {"head.weight": adapter.head_weight, "head.bias": adapter.head_bias}
    if adapter.prompts is not None:
        tensors["prompts"] = adapter.prompts
    stored = {k: v.detach().float().cpu().contiguous() for k, v in tensors.items()}
    return save(stored, metadata={_METADATA_KEY: adapter.meta.model_dump_json()})


def decode(data: bytes) -> Adapter:
    """Return the adapter of an artifact, every tensor checked against what its meta promises.

    Raises:
        ArtifactCorrupt: not a whole artifact of format 1, or a tensor's name, shape, type or
            values contradict its meta.
    """
    meta = decode_meta(data)
    try:
        tensors = load(data)
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise ArtifactCorrupt(
            f"artifact of {meta.task.id}: its tensors cannot be read: {error}"
        ) from error
    _check_tensors(tensors, meta)
    return Adapter(tensors.get("prompts"), tensors["head.weight"], tensors["head.bias"], meta)


def decode_meta(data: bytes) -> AdapterMeta:
    """Return an artifact's meta without reading its tensors.

    Raises:
        ArtifactCorrupt: the header or the meta is damaged, or of another format version.
    """
    try:
        length = int.from_bytes(data[:8], "little")
        if not 2 <= length <= min(_MAX_HEADER, len(data) - 8):
            raise ValueError(f"{len(data)} bytes cannot hold a header of {length}")
        document = json.loads(data[8 : 8 + length])["__metadata__"][_METADATA_KEY]
        return AdapterMeta.model_validate_json(document)
    except (ValueError, KeyError, TypeError, RecursionError, ValidationError) as error:
        reason = str(error).replace("\n", " ")[:300]
        raise ArtifactCorrupt(
            f"not an artifact of format 1 ({type(error).__name__}: {reason}); "
            "publish it again from its training run"
        ) from error


def _check_tensors(tensors: dict[str, Tensor], meta: AdapterMeta) -> None:
    name, width, classes = meta.task.id, meta.backbone.width, len(meta.task.class_names)
    expected = {"head.weight": (classes, width), "head.bias": (classes,)}
    if meta.init is not None:
        expected["prompts"] = _expected_prompts(tensors, meta)
    if tensors.keys() != expected.keys():
        raise ArtifactCorrupt(
            f"{name}: expected tensors {sorted(expected)}, found {sorted(tensors)}; "
            "publish it again from its training run"
        )
    for key, shape in expected.items():
        found = tensors[key]
        if tuple(found.shape) != shape or found.dtype != torch.float32:
            raise ArtifactCorrupt(
                f"{name}: tensor {key} should be float32 {shape}, "
                f"found {str(found.dtype).removeprefix('torch.')} {tuple(found.shape)}; "
                "publish it again from its training run"
            )
        if not bool(found.isfinite().all()):
            raise ArtifactCorrupt(f"{name}: tensor {key} holds NaN or infinity; train it again")


def _expected_prompts(tensors: dict[str, Tensor], meta: AdapterMeta) -> tuple[int, ...]:
    found = tensors.get("prompts")
    layers, length = (0, 0) if found is None or found.ndim != 3 else found.shape[:2]
    depth = meta.backbone.depth
    return (layers if layers in (1, depth) else depth, max(1, length), meta.backbone.width)
