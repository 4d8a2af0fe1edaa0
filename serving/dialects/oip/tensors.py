"""Tensors as bytes: little-endian, row by row; text and images each behind its length."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from struct import Struct, pack
from typing import Final

from serving.dialects.oip.shapes import BYTES, BinarySize, Datatype, OutputTensor
from serving.errors import BadParameter

Value = str | float | int | bool

_LENGTH: Final = Struct("<I")
_CODES: Final[Mapping[str, str]] = {"FP32": "f", "INT64": "q", "BOOL": "?"}


@dataclass(frozen=True)
class Tensor:
    """One output.

    Attributes:
        name: of it.
        datatype: of its values.
        shape: of it; its product is how many values there are.
        values: row by row.
    """

    name: str
    datatype: Datatype
    shape: tuple[int, ...]
    values: Sequence[Value]

    def as_json(self) -> OutputTensor:
        """Return it with its values."""
        return OutputTensor(
            name=self.name, datatype=self.datatype, shape=self.shape, data=tuple(self.values)
        )

    def as_binary(self) -> tuple[OutputTensor, bytes]:
        """Return it without its values, and those."""
        raw = self._raw()
        size = BinarySize(binary_data_size=len(raw))
        return OutputTensor(
            name=self.name, datatype=self.datatype, shape=self.shape, parameters=size
        ), raw

    def _raw(self) -> bytes:
        if self.datatype == BYTES:
            texts = (str(value).encode() for value in self.values)
            return b"".join(_LENGTH.pack(len(text)) + text for text in texts)
        return pack(f"<{len(self.values)}{_CODES[self.datatype]}", *self.values)


def elements(data: memoryview, count: int) -> list[bytes]:
    """Return the elements of a tensor of BYTES.

    Args:
        data: all of them, each behind its length.
        count: how many there must be.

    Raises:
        BadParameter: they are more or fewer, or the last is not whole.
    """
    found: list[bytes] = []
    for begin, end in _places(data):
        if len(found) == count:
            raise BadParameter(
                f"image: its shape says {count} images, and more bytes follow the last"
            )
        found.append(bytes(data[begin:end]))
    if len(found) < count:
        raise BadParameter(f"image: its shape says {count} images, its bytes hold {len(found)}")
    return found


def _places(data: memoryview) -> Iterator[tuple[int, int]]:
    begin = 0
    while begin < len(data):
        left = len(data) - begin - _LENGTH.size
        if left < 0 or (length := _LENGTH.unpack_from(data, begin)[0]) > left:
            raise BadParameter(
                "image: its bytes end in the middle of an image; send each image behind its "
                "length, as 4 bytes, little-endian"
            )
        begin += _LENGTH.size
        yield begin, begin + length
        begin += length
