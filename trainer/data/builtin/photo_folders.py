"""A built-in task as anyone's photos are: a folder for each class, whose name is the class.

Who has no photos at hand tries everything with these.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from trainer.data.builtin.catalogue import BUILTIN
from trainer.errors import DataError


def write_photos(name: str, folder: Path, each: int) -> int:
    """Write PNG files `<class>/0001.png` and so on; the same arguments give the same files.

    Args:
        name: a key of `BUILTIN`.
        folder: that is not there yet, or is empty.
        each: images of every class, from 1.

    Returns:
        How many images were written.

    Raises:
        DataError: the folder holds something, the task has fewer images, or nothing can be
            written.
    """
    try:
        if folder.exists() and any(folder.iterdir()):
            raise DataError(
                f"{folder}: expected a new or an empty folder, found files in it; name another one"
            )
        chosen = list(_first_of_each(name, each))
        for path, image in chosen:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            image.save(folder / path)
    except OSError as error:
        raise DataError(
            f"{error.filename or folder}: {error.strerror or error}; name a folder that this user "
            "may write to"
        ) from error
    return len(chosen)


def _first_of_each(name: str, each: int) -> Iterator[tuple[str, Image.Image]]:
    task = BUILTIN[name]
    found: Counter[str] = Counter()
    for _, label, image in task.render(task.sizes):
        kind = task.class_names[label]
        if found[kind] < each:
            found[kind] += 1
            yield f"{kind}/{found[kind]:04d}.png", image
        if found.total() == each * len(task.class_names):
            return
    fewest = min(task.class_names, key=found.__getitem__)
    raise DataError(
        f"{name}: expected {each} images of each class, found {found[fewest]} of {fewest}; "
        f"ask for {found[fewest]} or fewer"
    )
