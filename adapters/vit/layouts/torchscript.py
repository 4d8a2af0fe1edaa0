"""Archives of TorchScript, as OpenAI's CLIP comes: their tensors, without running what is in them.

Such an archive is a zip. `data.pkl` is a tree of modules with their tensors, whose numbers are
files of their own; the program lies beside it and is not looked at.
"""

import pickle
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from zipfile import BadZipFile, ZipFile

import torch
from torch import Tensor

_CONSTANTS: Final = "/constants.pkl"
_MODULES: Final = "__torch__"


def is_torchscript(path: Path) -> bool:
    """Whether a file is such an archive."""
    try:
        with ZipFile(path) as archive:
            return any(name.endswith(_CONSTANTS) for name in archive.namelist())
    except (BadZipFile, OSError):
        return False


def read_torchscript(path: Path) -> dict[str, Tensor]:
    """Return every tensor of an archive by the names of its modules, joined by dots.

    Raises:
        Exception: of many types, where it is damaged or holds more than modules and tensors.
    """
    with ZipFile(path) as archive:
        names = archive.namelist()
        root = next(name.removesuffix(_CONSTANTS) for name in names if name.endswith(_CONSTANTS))
        return dict(_tensors(_Reader(archive, root).load(), ""))


class _Part:
    """A module, whatever it does: what it has is in its attributes."""


class _Made:
    """Something that a pickle may call; without attributes that one could set."""

    __slots__ = ("_make",)

    def __init__(self, make: Callable[..., Any]) -> None:
        self._make = make

    def __call__(self, *args: Any) -> Any:
        return self._make(*args)


def _rebuilt(numbers: Tensor, offset: int, size: Any, stride: Any, *_: Any) -> Tensor:
    return numbers.as_strided(size, stride, offset)


_CALLED: Final = {
    ("torch._utils", "_rebuild_tensor_v2"): _Made(_rebuilt),
    ("collections", "OrderedDict"): _Made(OrderedDict),
    ("torch", "device"): _Made(str),
    ("torch.jit._pickle", "restore_type_tag"): _Made(lambda value, _: value),
    **{
        ("torch.jit._pickle", f"build_{kind}list"): _Made(list)
        for kind in ("int", "double", "bool", "tensor")
    },
}
_NUMBERS: Final = {
    ("torch", "HalfStorage"): torch.float16,
    ("torch", "BFloat16Storage"): torch.bfloat16,
    ("torch", "FloatStorage"): torch.float32,
    ("torch", "DoubleStorage"): torch.float64,
    ("torch", "LongStorage"): torch.int64,
    ("torch", "IntStorage"): torch.int32,
    ("torch", "BoolStorage"): torch.bool,
}
_NAMED: Final[Mapping[tuple[str, str], Any]] = {**_CALLED, **_NUMBERS}


class _Reader(pickle.Unpickler):
    """Makes of a pickle nothing but modules without a program, tensors and plain values."""

    def __init__(self, archive: ZipFile, root: str) -> None:
        super().__init__(archive.open(f"{root}/data.pkl"))
        self._archive = archive
        self._root = root
        self._read: dict[str, Tensor] = {}

    def find_class(self, module: str, name: str, /) -> Any:
        """Return what stands for a name in the pickle; there are few that may."""
        if module.partition(".")[0] == _MODULES:
            return _Part
        try:
            return _NAMED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"it names {module}.{name}") from None

    def persistent_load(self, pid: Any, /) -> Tensor:
        """Return all numbers of one file, which several tensors may share."""
        _, dtype, key, _, count = pid
        if key not in self._read:
            data = bytearray(self._archive.read(f"{self._root}/data/{key}"))
            self._read[key] = torch.frombuffer(data, dtype=dtype, count=count)
        return self._read[key]


def _tensors(part: Any, prefix: str) -> Iterator[tuple[str, Tensor]]:
    for name, value in vars(part).items():
        if isinstance(value, Tensor):
            yield f"{prefix}{name}", value
        elif isinstance(value, _Part):
            yield from _tensors(value, f"{prefix}{name}.")
