"""An image by its name, as a report has it: a file, or what lies inside another one."""

from collections.abc import Iterator
from pathlib import Path

from trainer.data.images.image_file import INSIDE, ImageFile
from trainer.data.readers.formats.columnar import reader_for
from trainer.data.readers.formats.tar_members import members_of
from trainer.errors import DataError


def image_named(name: str) -> ImageFile:
    """Return the image of a name; a file that is not there is one, too, until it is read.

    Raises:
        DataError: what should hold it is missing or damaged, or does not hold it.
    """
    if Path(name).is_file():
        return Path(name)
    path = next((path for path in _containers(name) if path.is_file()), None)
    if path is None:
        return Path(name)
    images = members_of(path) if path.suffix.lower() == ".tar" else _images_of(path)
    found = next((image for image in images if str(image) == name), None)
    if found is None:
        raise DataError(f"{name}: is not in {path}")
    return found


def _images_of(table: Path) -> Iterator[ImageFile]:
    _, records = reader_for(table)(table, {})
    return (record.image for record in records)


def _containers(name: str) -> Iterator[Path]:
    """Yield what may hold an image of this name, the longest first: names may have the mark."""
    parts = name.split(INSIDE)
    yield from (Path(INSIDE.join(parts[:end])) for end in range(len(parts) - 1, 0, -1))
