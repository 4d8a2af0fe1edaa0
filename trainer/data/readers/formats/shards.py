"""Which files a data set of many files has, and which split each is of, by their names.

Knows no format.
"""

import glob
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from trainer.data.readers.image_files import class_folders
from trainer.data.split_names import split_of, splits_named

_RANGE = re.compile(r"(\d+)\.\.(\d+)")
_BRACES = re.compile(r"\{([^{}]*)\}")
_NUMBERS = re.compile(r"([-_.]?\d+([-_.]of[-_.]\d+)?(-[0-9a-f]{16})?)$")
"""At the end of a shard's name: `-00003`, `-00003-of-00008`, and a digest behind it."""


def shards_at(place: Path, *endings: str) -> list[Path]:
    """Return the files that a place means, sorted, with one of the endings.

    Args:
        place: a folder, whose files are taken, and those of `data/` and of folders called as
            splits inside; or a file; or a pattern, as `train-{000..099}.tar`, `{train,val}-*.tar`.
        endings: in lower case, with the dot.
    """
    if place.is_dir():
        inside = [one for one in class_folders(place) if one.name == "data" or split_of(one.name)]
        inner = [path for folder in (place, *inside) for path in folder.iterdir()]
        found = [path for path in inner if _is_of(path, endings) and path.is_file()]
    elif place.exists():
        found = [place]
    else:
        found = [Path(path) for pattern in _expanded(str(place)) for path in _matching(pattern)]
    return sorted({path for path in found if _is_of(path, endings)})


def splits_of(files: Sequence[Path]) -> dict[Path, str]:
    """Return each file's split by its name, else by that of its folder; "" for none.

    The splits are as `splits_named` has them: `pets-train-00003.tar` is train next to
    `pets-test-00000.tar`. Where all files are of one split, that divides nothing: it is none.
    """
    bare = {path: _NUMBERS.sub("", path.stem) for path in files}
    by_name = splits_named(set(bare.values()))
    return dividing(
        {path: by_name.get(name) or split_of(path.parent.name) or "" for path, name in bare.items()}
    )


def dividing(splits: Mapping[Path, str]) -> dict[Path, str]:
    """Return the files' splits, or "" for all where they have the same."""
    return dict(splits) if len(set(splits.values())) > 1 else dict.fromkeys(splits, "")


def _is_of(path: Path, endings: tuple[str, ...]) -> bool:
    return path.name.lower().endswith(endings) and not path.name.startswith(".")


def _matching(pattern: str) -> list[str]:
    """Return what a pattern of the shell matches; a name without one stands for itself."""
    return sorted(glob.glob(pattern)) if glob.has_magic(pattern) else [pattern]  # noqa: PTH207


def _expanded(pattern: str) -> Iterator[str]:
    """Yield a pattern with every choice of its braces, as a shell does: `{a,b}` and `{00..12}`."""
    found = _BRACES.search(pattern)
    if found is None:
        yield pattern
        return
    for choice in _choices(found[1]):
        yield from _expanded(pattern[: found.start()] + choice + pattern[found.end() :])


def _choices(inside: str) -> list[str]:
    numbers = _RANGE.fullmatch(inside)
    if numbers is None:
        return inside.split(",")
    first, last = numbers.groups()
    return [str(i).zfill(len(first)) for i in range(int(first), int(last) + 1)]
