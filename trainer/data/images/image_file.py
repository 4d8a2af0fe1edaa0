"""An image as bytes with a name: a file, or a part of one, such as of a shard.

Knows neither labels nor tasks, and no format of what holds the image.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, runtime_checkable

INSIDE: Final = "!"
"""Between the name of a file and that of an image inside it: `train-000.tar!cat/0001.jpg`."""


@runtime_checkable
class ImageFile(Protocol):
    """The bytes of an image; `str(image)` is its name. Every `Path` is one.

    Two that are equal are the same image of the same place.
    """

    def read_bytes(self) -> bytes:
        """Return the encoded image.

        Raises:
            OSError: it cannot be read.
        """
        ...

    def is_file(self) -> bool:
        """Tell whether it is there: the file, or what holds it."""
        ...


@dataclass(frozen=True, slots=True)
class ByteRange:
    """An image that lies as it is inside another file, and is read in place.

    Attributes:
        container: the file that holds it.
        name: the image's own name in there.
        start: of its first byte.
        length: in bytes.
    """

    container: Path
    name: str
    start: int
    length: int

    def read_bytes(self) -> bytes:
        """Return the encoded image; less of it, where the container has been cut since."""
        with self.container.open("rb") as file:
            file.seek(self.start)
            return file.read(self.length)

    def is_file(self) -> bool:
        """Tell whether the container is there."""
        return self.container.is_file()

    def __str__(self) -> str:
        return f"{self.container}{INSIDE}{self.name}"
