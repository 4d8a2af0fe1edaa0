"""What to do about a folder that is no task's: what is missing, or what lies at a wrong level."""

from collections.abc import Iterator
from pathlib import Path

from adapters.shown import shown
from trainer.data.checks import check_several
from trainer.data.known import BUILTIN_NAMES, DATA_ROOT, meant
from trainer.data.layouts import LAYOUTS, layout_of
from trainer.data.public.tasks import PUBLIC_TASKS
from trainer.data.readers.image_files import class_folders, holds_images
from trainer.data.readers.levels import is_flat, unwrapped
from trainer.data.split_names import split_of, splits_named
from trainer.data.task_data import name_task

_NAMED = 3
"""Folders that a message names."""


def nothing_found(name: str, data: Path | None) -> str:
    """Return what is wrong with the folder where a task was looked for.

    Raises:
        DataError: it holds the images of one class.
    """
    folder = data or DATA_ROOT / name
    found = f"{name}: {folder} {_describe(folder)}"
    if name in PUBLIC_TASKS:
        known = PUBLIC_TASKS[name]
        return (
            f"{found}; expected there: {known.files}. Obtain: {known.source}. "
            "If the data is elsewhere, pass its folder as DATA="
        )
    if folder.is_dir():
        place = unwrapped(folder)
        if alone := _only_class(place):
            check_several(name_task(name, [alone]))
        if remedy := next(_remedies(place), None):
            return f"{found}; {remedy}"
    layouts = "; ".join(layout.description for layout in LAYOUTS)
    if data is not None:
        return f"{found}; expected there, or in {folder / name}, one of: {layouts}"
    return (
        f"{found}, and {name} is not a built-in task ({', '.join(BUILTIN_NAMES)})"
        f"; pass the folder of your images as DATA=, with one of: {layouts}{meant(name)}"
    )


def _only_class(folder: Path) -> str | None:
    """Return the name of the one folder of images inside, if there is but one."""
    classes = [f.name for f in class_folders(folder) if holds_images(f)]
    return classes[0] if len(classes) == 1 and split_of(classes[0]) is None else None


def _remedies(folder: Path) -> Iterator[str]:
    """Yield what to do about what is recognised in a folder, the likeliest first."""
    inside = class_folders(folder)
    named = splits_named(place.name for place in inside)
    flat = [place for place in inside if place.name in named and is_flat(place)]
    others = [place for place in inside if place.name not in named and holds_images(place)]
    if flat and others:
        yield (
            f"{_list(flat)} may be a split or a class next to {_list(others)}: rename it if it is "
            "a class, else put the images of each split into one folder for each class"
        )
    if flat:
        yield (
            f"{_list(flat)} hold images that are in no class's folder; expected train/<class>/ "
            "and test/<class>/: make one folder for each class"
        )
    if tasks := [place for place in inside if layout_of(unwrapped(place))]:
        yield (
            f"{_list(tasks)} may be what is meant: pass {unwrapped(tasks[0])} as DATA="
            f"{', or another of them' if len(tasks) > 1 else ''}"
        )
    if splits := [place for place in inside if place.name in named]:
        yield (
            f"{_list(splits)} may be of a task, but the training images are not found under a "
            "name that we know; call their folder train/, with one folder for each class inside"
        )
    if split := [place for place in inside if _is_split_class(place)]:
        yield (
            f"{_list(split)} hold splits as if they were classes; expected train/<class>/ and "
            "test/<class>/: change the two levels"
        )
    if holds_images(folder):
        yield (
            "its images are in no class's folder; expected <class>/ or train/<class>/ and "
            "test/<class>/: make one folder for each class"
        )


def _is_split_class(folder: Path) -> bool:
    inside = class_folders(folder)
    named = splits_named(place.name for place in inside)
    return any(named.get(place.name) == "train" and holds_images(place) for place in inside)


def _list(places: list[Path]) -> str:
    more = ", …" if len(places) > _NAMED else ""
    return ", ".join(f"{shown(place.name)}/" for place in places[:_NAMED]) + more


def _describe(folder: Path) -> str:
    if not folder.is_dir():
        return "is not a folder" if folder.exists() else "does not exist"
    names = sorted(p.name for p in folder.iterdir() if not p.name.startswith("."))
    more = ", …" if len(names) > 6 else ""
    return f"holds {', '.join(names[:6])}{more}" if names else "is empty"
