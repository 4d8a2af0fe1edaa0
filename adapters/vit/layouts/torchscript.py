"""Archives of TorchScript, as OpenAI's CLIP comes: their tensors, without running what is in them.

Such an archive is a zip. `data.pkl` is a tree of modules with their tensors, whose numbers are
files of their own; the program lies beside it and is not looked at. Of the language of pickles only
what builds such a tree is understood: a name is a text, and nothing is ever called.
"""

import pickletools
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from zipfile import BadZipFile, ZipFile

import torch
from torch import Tensor

_CONSTANTS: Final = "/constants.pkl"


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
        return dict(_tensors(_Tree(archive, root).built(), ""))


_DTYPES: Final = {
    "torch HalfStorage": torch.float16,
    "torch BFloat16Storage": torch.bfloat16,
    "torch FloatStorage": torch.float32,
    "torch DoubleStorage": torch.float64,
    "torch LongStorage": torch.int64,
    "torch IntStorage": torch.int32,
    "torch BoolStorage": torch.bool,
}
_REBUILT: Final = "torch._utils _rebuild_tensor_v2"
_VALUES: Final = frozenset({"INT", "LONG", "FLOAT", "UNICODE", "STRING", "BININT", "BININT1"}) | {
    *("BININT2", "LONG1", "BINFLOAT", "BINUNICODE", "SHORT_BINSTRING", "BINSTRING", "GLOBAL")
}
"""What puts its argument on the stack; of a global it is the name, as a text."""

_CONSTANT_VALUES: Final = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_TUPLES: Final = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


class _Module(dict[str, Any]):
    """What one module has, by name."""


class _Tree:
    """Reads the tree of modules of an archive, as a machine with a stack and a memory."""

    def __init__(self, archive: ZipFile, root: str) -> None:
        self._archive = archive
        self._root = root
        self._numbers: dict[str, Tensor] = {}
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._memory: dict[int, Any] = {}

    def built(self) -> Any:
        """Return the module that holds all others."""
        for code, argument, _ in pickletools.genops(self._archive.read(f"{self._root}/data.pkl")):
            self._step(code.name, argument)
        return self._stack.pop()

    def _step(self, name: str, argument: Any) -> None:
        if name in _VALUES:
            self._stack.append(argument)
        elif name in _CONSTANT_VALUES:
            self._stack.append(_CONSTANT_VALUES[name])
        elif name in ("BINPUT", "LONG_BINPUT"):
            self._memory[argument] = self._stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            self._stack.append(self._memory[argument])
        elif name in _TUPLES:
            self._stack.append(tuple(self._last(_TUPLES[name])))
        elif name not in ("PROTO", "STOP"):
            _STEPS[name](self)

    def mark(self) -> None:
        """Remember where what comes next begins."""
        self._marks.append(len(self._stack))

    def tuple(self) -> None:
        """Put what came since the mark into a tuple."""
        self._stack.append(tuple(self._marked()))

    def empty_tuple(self) -> None:
        """Begin a tuple."""
        self._stack.append(())

    def empty_dict(self) -> None:
        """Begin a dictionary."""
        self._stack.append({})

    def empty_list(self) -> None:
        """Begin a list."""
        self._stack.append([])

    def append(self) -> None:
        """Add a value to a list."""
        (value,) = self._last(1)
        self._stack[-1].append(value)

    def appends(self) -> None:
        """Add what came since the mark to a list."""
        values = self._marked()
        self._stack[-1].extend(values)

    def setitems(self) -> None:
        """Add pairs that came since the mark to a dictionary."""
        values = self._marked()
        self._stack[-1].update(zip(values[::2], values[1::2], strict=True))

    def newobj(self) -> None:
        """Begin a module, whatever its class."""
        self._last(2)
        self._stack.append(_Module())

    def build(self) -> None:
        """Give a module what it has."""
        (state,) = self._last(1)
        self._stack[-1].update(state)

    def reduce(self) -> None:
        """Make a tensor of numbers; of any other call, leave what it was to be called with."""
        name, arguments = self._last(2)
        self._stack.append(_rebuilt(*arguments) if name == _REBUILT else arguments)

    def binpersid(self) -> None:
        """Read all numbers of one file, which several tensors may share."""
        ((_, dtype, key, _, count),) = self._last(1)
        if key not in self._numbers:
            data = bytearray(self._archive.read(f"{self._root}/data/{key}"))
            self._numbers[key] = torch.frombuffer(data, dtype=_DTYPES[dtype], count=count)
        self._stack.append(self._numbers[key])

    def _last(self, count: int) -> list[Any]:
        values = self._stack[-count:]
        del self._stack[-count:]
        return values

    def _marked(self) -> list[Any]:
        start = self._marks.pop()
        values = self._stack[start:]
        del self._stack[start:]
        return values


_STEPS: Final = {
    "MARK": _Tree.mark,
    "TUPLE": _Tree.tuple,
    "EMPTY_TUPLE": _Tree.empty_tuple,
    "EMPTY_DICT": _Tree.empty_dict,
    "EMPTY_LIST": _Tree.empty_list,
    "APPEND": _Tree.append,
    "APPENDS": _Tree.appends,
    "SETITEMS": _Tree.setitems,
    "NEWOBJ": _Tree.newobj,
    "BUILD": _Tree.build,
    "REDUCE": _Tree.reduce,
    "BINPERSID": _Tree.binpersid,
}


def _rebuilt(numbers: Tensor, offset: int, size: Any, stride: Any, *_: Any) -> Tensor:
    return numbers.as_strided(size, stride, offset)


def _tensors(module: _Module, prefix: str) -> Iterator[tuple[str, Tensor]]:
    for name, value in module.items():
        if isinstance(value, Tensor):
            yield f"{prefix}{name}", value
        elif isinstance(value, _Module):
            yield from _tensors(value, f"{prefix}{name}.")
