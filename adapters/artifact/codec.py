"""An adapter as bytes and back: one safetensors file whose metadata is one JSON document.

The only module that knows the file format. Never pickle. Format version 1:
tensors `prompts` (absent for a bare head), `head.weight`, `head.bias`, all float32;
metadata `{"spt": <AdapterMeta as JSON>}`, and in a signed one `"signature"` beside it.
"""

import hashlib
import json
import re
from typing import Any, NamedTuple

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from adapters.errors import ArtifactCorrupt
from adapters.vit.adapter import Adapter, AdapterMeta

VERSION = re.compile(r"[0-9a-f]{64}")
_METADATA_KEY = "spt"
_SIGNATURE_KEY = "signature"
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


class Contents(NamedTuple):
    """All that an artifact says, whole and consistent.

    Attributes:
        document: its meta, as the JSON text in the file.
        meta: the same, parsed.
        tensors: float32, by name.
        signature: the text that `with_signature` put there, not checked; None in an unsigned one.
    """

    document: str
    meta: AdapterMeta
    tensors: dict[str, Tensor]
    signature: str | None


def decode(data: bytes) -> Adapter:
    """Return the adapter of an artifact, every tensor checked against what its meta promises.

    Raises:
        ArtifactCorrupt: not a whole artifact of format 1, or a tensor's name, shape, type or
            values contradict its meta.
    """
    _, meta, tensors, _ = read_contents(data)
    return Adapter(tensors.get("prompts"), tensors["head.weight"], tensors["head.bias"], meta)


def read_contents(data: bytes) -> Contents:
    """Return what an artifact holds, checked as `decode` does.

    Raises:
        ArtifactCorrupt: as `decode` does.
    """
    header, meta = _read_header(data)
    try:
        tensors = load(data)
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise ArtifactCorrupt(
            f"artifact of {meta.task.id}: its tensors cannot be read: {error}"
        ) from error
    _check_tensors(tensors, meta)
    metadata = header["__metadata__"]
    return Contents(metadata[_METADATA_KEY], meta, tensors, metadata.get(_SIGNATURE_KEY))


def decode_meta(data: bytes) -> AdapterMeta:
    """Return an artifact's meta without reading its tensors.

    Raises:
        ArtifactCorrupt: the header or the meta is damaged, or of another format version.
    """
    return _read_header(data)[1]


def with_signature(data: bytes, signature: str) -> bytes:
    """Return the artifact with this signature in place of any other; all else stays the same.

    Raises:
        ArtifactCorrupt: the header or the meta is damaged, or of another format version.
    """
    header, _ = _read_header(data)
    header["__metadata__"][_SIGNATURE_KEY] = signature
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)  # tensors begin at a multiple of 8 bytes
    return len(text).to_bytes(8, "little") + text + data[8 + _header_length(data) :]


def _read_header(data: bytes) -> tuple[dict[str, Any], AdapterMeta]:
    try:
        header = json.loads(data[8 : 8 + _header_length(data)])
        return header, AdapterMeta.model_validate_json(header["__metadata__"][_METADATA_KEY])
    except (ValueError, KeyError, TypeError, RecursionError, ValidationError) as error:
        reason = str(error).replace("\n", " ")[:300]
        raise ArtifactCorrupt(
            f"not an artifact of format 1 ({type(error).__name__}: {reason}); "
            "publish it again from its training run"
        ) from error


def _header_length(data: bytes) -> int:
    length = int.from_bytes(data[:8], "little")
    if not 2 <= length <= min(_MAX_HEADER, len(data) - 8):
        raise ValueError(f"{len(data)} bytes cannot hold a header of {length}")
    return length


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
