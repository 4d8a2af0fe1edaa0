"""An artifact's bytes: one safetensors file whose metadata is one JSON document.

The only module that knows the file format. Never pickle, and never torch: tensors are numpy's.
Format version 1: tensors `prompts` (absent for a bare head), `head.weight`, `head.bias`, all
float32; metadata `{"spt": <AdapterMeta as JSON>}`, and in one that an earlier version has signed
also `"signature"`. Where the meta's `first_block` is above 0, `prompts` has as many layers less:
readers that do not know the field refuse that shape. Beside deep prompts there may be
`keys_values`, and where every block is changed, `biases`: readers that do not know these tensors
refuse them by name. Where its rule for unknown images goes by distance, there are `unknown.mean`
and `unknown.directions`, too. Format version 2 is the same with a `target` in its meta, which says
what its logits stand for.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError
from safetensors import SafetensorError, deserialize
from safetensors.numpy import save

from adapters.artifact.bounds import check_bounds, check_prompts
from adapters.artifact.meta import AdapterMeta
from adapters.errors import ArtifactCorrupt

VERSION = re.compile(r"[0-9a-f]{64}")
_METADATA_KEY = "spt"
_LENGTHENING = ("prompts", "keys_values")
_SIGNATURE_KEY = "signature"
_MAX_HEADER = 10_000_000
_VALUES: Final = np.dtype("<f4")
_DTYPE = re.compile(r"(BF|F|I|U)([0-9]+)")
_KINDS: Final = {"BF": "bfloat", "F": "float", "I": "int", "U": "uint"}


def version_of(data: bytes) -> str:
    """Return an artifact's version: the sha256 of its bytes, 64 hex digits."""
    return hashlib.sha256(data).hexdigest()


def short(version: str) -> str:
    """Return the 12 hex digits that people read."""
    return version[:12]


class Contents(NamedTuple):
    """All that an artifact says, whole and consistent.

    Attributes:
        document: its meta, as the JSON text in the file.
        meta: the same, parsed.
        tensors: `prompts` `[L - first_block, P, D]` or `[1, P, D]`, absent for a bare head;
            `keys_values` `[L - first_block, K, h, d]` and `biases` `[L, D]`, absent from most;
            `head.weight` `[C, D]`; `head.bias` `[C]`; with a rule by distance `unknown.mean` `[D]`
            and `unknown.directions` `[K, D]`, K at most D.
        signature: the text of a signature inside, not checked; None in one without.
    """

    document: str
    meta: AdapterMeta
    tensors: dict[str, NDArray[np.float32]]
    signature: str | None

    @property
    def num_prompts(self) -> int:
        """What every block with prompts attends to: prompts, and keys and values beside them."""
        beside = [one.shape[1] for n, one in self.tensors.items() if n in _LENGTHENING]
        return sum(beside)


def write_contents(meta: AdapterMeta, tensors: Mapping[str, NDArray[np.float32]]) -> bytes:
    """Return the artifact of a meta and its tensors; the same ones give the same bytes."""
    stored = {name: np.ascontiguousarray(one, _VALUES) for name, one in tensors.items()}
    return save(stored, metadata={_METADATA_KEY: meta.model_dump_json()})


def read_contents(data: bytes) -> Contents:
    """Return what an artifact holds, every tensor checked against what its meta promises.

    Raises:
        ArtifactCorrupt: not a whole artifact of format 1 or 2, or a tensor's name, shape, type or
            values contradict its meta.
        ArtifactMismatch: it is beyond a bound of `adapters.artifact.bounds`.
    """
    header, meta = _read_header(data)
    metadata = header["__metadata__"]
    check_bounds(meta, len(data))
    tensors = _read_tensors(data, meta)
    contents = Contents(metadata[_METADATA_KEY], meta, tensors, metadata.get(_SIGNATURE_KEY))
    check_prompts(meta.task.id, contents.num_prompts)
    return contents


def decode_meta(data: bytes) -> AdapterMeta:
    """Return an artifact's meta without reading its tensors.

    Raises:
        ArtifactCorrupt: the header or the meta is damaged, or of another format version.
    """
    return _read_header(data)[1]


def has_header(beginning: bytes) -> bool:
    """Return whether the first bytes of an artifact are enough for `decode_meta`."""
    return len(beginning) >= 8 + int.from_bytes(beginning[:8], "little")


def _read_header(data: bytes) -> tuple[dict[str, Any], AdapterMeta]:
    try:
        text = data[8 : 8 + _header_length(data)].decode()
        header = _HEADER.decode(text)
        return header, AdapterMeta.model_validate_json(header["__metadata__"][_METADATA_KEY])
    except (ValueError, KeyError, TypeError, RecursionError, ValidationError) as error:
        reason = str(error).replace("\n", " ")[:300]
        raise ArtifactCorrupt(
            f"not an artifact of format 1 or 2 ({type(error).__name__}: {reason}); "
            "publish it again from its training run"
        ) from error


def _header_length(data: bytes) -> int:
    length = int.from_bytes(data[:8], "little")
    if not 2 <= length <= min(_MAX_HEADER, len(data) - 8):
        raise ValueError(f"{len(data)} bytes cannot hold a header of {length}")
    return length


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object; of a key that stands twice, two readers may take two values."""
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"key {key!r} stands twice in its header")
        found[key] = value
    return found


_HEADER: Final = json.JSONDecoder(object_pairs_hook=_without_repetition)


def _read_tensors(data: bytes, meta: AdapterMeta) -> dict[str, NDArray[np.float32]]:
    name = meta.task.id
    try:
        # safetensors refuses offsets that overlap, leave holes or do not fit shape and type
        stored = dict(deserialize(data))
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise ArtifactCorrupt(f"artifact of {name}: its tensors cannot be read: {error}") from error
    expected = _expected_shapes(stored, meta)
    if stored.keys() != expected.keys():
        raise ArtifactCorrupt(
            f"{name}: expected tensors {sorted(expected)}, found {sorted(stored)}; "
            "publish it again from its training run"
        )
    return {key: _read_tensor(name, key, stored[key], shape) for key, shape in expected.items()}


def _read_tensor(
    task: str, key: str, stored: Mapping[str, Any], shape: tuple[int, ...]
) -> NDArray[np.float32]:
    if tuple(stored["shape"]) != shape or stored["dtype"] != "F32":
        raise ArtifactCorrupt(
            f"{task}: tensor {key} should be float32 {shape}, "
            f"found {_dtype_in_words(stored['dtype'])} {tuple(stored['shape'])}; "
            "publish it again from its training run"
        )
    values = np.frombuffer(stored["data"], _VALUES).reshape(shape)
    if not np.isfinite(values).all():
        raise ArtifactCorrupt(f"{task}: tensor {key} holds NaN or infinity; train it again")
    return values


def _dtype_in_words(code: str) -> str:
    match = _DTYPE.fullmatch(code)
    return code if match is None else f"{_KINDS[match[1]]}{match[2]}"


def _expected_shapes(stored: Mapping[str, Any], meta: AdapterMeta) -> dict[str, tuple[int, ...]]:
    width, depth, classes = meta.backbone.width, meta.backbone.depth, len(meta.task.class_names)
    heads = {"head.weight": (classes, width), "head.bias": (classes,)} | _spread(stored, meta)
    biases = {"biases": (depth, width)} if "biases" in stored else {}
    if meta.init is None:
        return heads | biases
    layers, length, _ = _sizes(stored, "prompts", 3)
    if layers == 1 and not meta.first_block:
        return heads | {"prompts": (1, max(1, length), width)}
    deep = depth - meta.first_block
    expected = heads | {"prompts": (deep, max(1, length), width)}
    if "keys_values" in stored:
        _, count, _, head_width = _sizes(stored, "keys_values", 4)
        shape = (deep, max(1, count), meta.backbone.num_heads, max(1, head_width))
        expected |= {"keys_values": shape}
    return expected if meta.first_block else expected | biases


def _sizes(stored: Mapping[str, Any], name: str, axes: int) -> list[int]:
    """Return a tensor's shape, or zeros where it has other axes."""
    found: list[int] = stored[name]["shape"] if name in stored else []
    return found if len(found) == axes else [0] * axes


def _spread(stored: Mapping[str, Any], meta: AdapterMeta) -> dict[str, tuple[int, ...]]:
    """Return the shapes of what a rule by distance needs; nothing for other rules."""
    if meta.unknown is None or meta.unknown.score != "distance":
        return {}
    count, _ = _sizes(stored, "unknown.directions", 2)
    return {
        "unknown.mean": (meta.backbone.width,),
        "unknown.directions": (min(max(1, count), meta.backbone.width), meta.backbone.width),
    }
