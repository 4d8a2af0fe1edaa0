"""Artifacts that are not what they should be: every place, every way, under every name."""

import io
import os
import pickle
import random
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import torch

from adapters.artifact.backbone_spec import BackboneSpec
from adapters.artifact.codec import version_of
from adapters.errors import ArtifactCorrupt, ArtifactMismatch, SptError
from adapters.vit.adapter import Adapter, encode
from tests.faults.scene.versions import TASKS, adapter_of

MARKER: Final = Path(tempfile.gettempdir()) / f"a-pickle-was-opened-{os.getpid()}"
"""There as soon as anybody, this process or a service, has opened one of the pickles."""

_NAN: Final = b"\0\0\xc0\x7f"
_HEADER: Final = "not an artifact of format 1"
_MISNAMED: Final = "its name says otherwise"
_TENSORS: Final = "its tensors cannot be read"


@dataclass(frozen=True)
class Damaged:
    """One file of a store, and why it must be refused.

    Attributes:
        kind: of the damage.
        task: under which it is stored.
        data: what the file holds.
        version: that its name says.
        error: with which it is refused.
        words: that the refusal must have.
    """

    kind: str
    task: str
    data: bytes
    version: str
    error: type[SptError]
    words: str


@dataclass(frozen=True)
class _Kind:
    """One way of damage, and the refusal of a file that is named after its damaged bytes.

    Attributes:
        spoil: makes a damaged artifact of a whole one.
        words: of that refusal; None if nobody can tell such a file from a whole one.
    """

    spoil: Callable[[Adapter, random.Random], bytes]
    words: str | None
    error: type[SptError] = ArtifactCorrupt


class _Bomb:
    """Makes the file `MARKER` when it is unpickled."""

    def __reduce__(self) -> Any:
        return Path.touch, (MARKER,)


def damaged(number: int, spec: BackboneSpec) -> Damaged:
    """Return one of any number of damaged artifacts; under its own name every second time."""
    random_ = random.Random(number)
    name = list(_KINDS)[number % len(_KINDS)]
    kind, task = _KINDS[name], TASKS[random_.randrange(len(TASKS))]
    adapter = adapter_of(task, number + 1, spec)
    data = kind.spoil(adapter, random_)
    is_own_name = (number // len(_KINDS)) % 2 == 0
    if is_own_name and kind.words is not None:
        return Damaged(name, task, data, version_of(data), kind.error, kind.words)
    named = version_of(encode(adapter))
    return Damaged(f"{name}, misnamed", task, data, named, ArtifactCorrupt, _MISNAMED)


def _begin(data: bytes) -> int:
    """Return where an artifact's tensors begin."""
    return 8 + int.from_bytes(data[:8], "little")


def _flipped(data: bytes, place: int, value: int) -> bytes:
    return data[:place] + bytes([data[place] ^ value]) + data[place + 1 :]


def _length(adapter: Adapter, random_: random.Random) -> bytes:
    data = encode(adapter)
    return _flipped(data, random_.randrange(2, 8), 1 << random_.randrange(8))


def _text(adapter: Adapter, random_: random.Random) -> bytes:
    data = encode(adapter)
    place = random_.randrange(8, len(data[: _begin(data)].rstrip()))
    return data[:place] + b"\xff" + data[place + 1 :]


def _value(adapter: Adapter, random_: random.Random) -> bytes:
    data = encode(adapter)
    return _flipped(data, random_.randrange(_begin(data), len(data)), 1 << random_.randrange(8))


def _not_a_number(adapter: Adapter, random_: random.Random) -> bytes:
    data = encode(adapter)
    place = random_.randrange(_begin(data), len(data), 4)
    return data[:place] + _NAN + data[place + 4 :]


def _cut_in_header(adapter: Adapter, random_: random.Random) -> bytes:
    data = encode(adapter)
    return data[: random_.randrange(1, _begin(data))]


def _cut_in_tensors(adapter: Adapter, random_: random.Random) -> bytes:
    data = encode(adapter)
    return data[: random_.randrange(_begin(data), len(data))]


def _longer(adapter: Adapter, random_: random.Random) -> bytes:
    return encode(adapter) + random_.randbytes(random_.randrange(1, 100))


def _of_another_task(adapter: Adapter, random_: random.Random) -> bytes:
    place = TASKS.index(adapter.meta.task.id)
    other = TASKS[(place + random_.randrange(1, len(TASKS))) % len(TASKS)]
    return encode(adapter_of(other, random_.randrange(1, 1000), adapter.meta.backbone))


def _of_another_backbone(adapter: Adapter, random_: random.Random) -> bytes:
    weights = random_.randbytes(32).hex()
    spec = adapter.meta.backbone.model_copy(update={"name": "foreign", "weights_sha256": weights})
    return encode(adapter_of(adapter.meta.task.id, 1, spec))


def _of_other_shape(adapter: Adapter, random_: random.Random) -> bytes:
    classes = len(adapter.head_bias) + random_.randrange(1, 9)
    weight, bias = torch.zeros(classes, adapter.head_weight.shape[1]), torch.zeros(classes)
    return encode(replace(adapter, head_weight=weight, head_bias=bias))


def _pickled(adapter: Adapter, random_: random.Random) -> bytes:
    file = io.BytesIO()
    content = {"head.bias": adapter.head_bias, "marker": _Bomb(), "number": random_.random()}
    torch.save(content, file, _use_new_zipfile_serialization=random_.random() < 0.5)
    return file.getvalue()


def _bare_pickle(_: Adapter, random_: random.Random) -> bytes:
    return pickle.dumps([_Bomb(), random_.random()])


def _huge_header(adapter: Adapter, random_: random.Random) -> bytes:
    data = encode(adapter)
    length = random_.randrange(len(data), 1 << random_.randrange(30, 63))
    return length.to_bytes(8, "little") + data[8:]


def _zeros(adapter: Adapter, random_: random.Random) -> bytes:
    return bytes(len(encode(adapter)) - random_.randrange(1000))


def _empty(_: Adapter, __: random.Random) -> bytes:
    return b""


_KINDS: Final[Mapping[str, _Kind]] = {
    "a bit of the header's length": _Kind(_length, _HEADER),
    "a byte of the header": _Kind(_text, _HEADER),
    "a bit of a tensor": _Kind(_value, None),
    "a number that is none": _Kind(_not_a_number, "holds NaN or infinity"),
    "cut in the header": _Kind(_cut_in_header, _HEADER),
    "cut in the tensors": _Kind(_cut_in_tensors, _TENSORS),
    "longer": _Kind(_longer, _TENSORS),
    "of another task": _Kind(_of_another_task, "expected an artifact of"),
    "of another backbone": _Kind(_of_another_backbone, "weights_sha256", ArtifactMismatch),
    "of another shape": _Kind(_of_other_shape, "tensor head.weight should be"),
    "a torch pickle": _Kind(_pickled, _HEADER),
    "a bare pickle": _Kind(_bare_pickle, _HEADER),
    "a huge header": _Kind(_huge_header, _HEADER),
    "zeros": _Kind(_zeros, _HEADER),
    "empty": _Kind(_empty, _HEADER),
}
