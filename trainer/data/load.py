"""From a task's name to its images and labels: built-in, or a folder of a recognised layout.

Knows the readers, not what they read.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from adapters.artifact.task import check_task_id
from trainer.data.bad_files import bad_files, with_strays, without
from trainer.data.builtin.materialise import materialise
from trainer.data.checks import check_no_single, check_several
from trainer.data.known import BUILTIN_NAMES, BUILTIN_ROOT, DATA_ROOT, meant
from trainer.data.public.tasks import PUBLIC_TASKS
from trainer.data.readers.birds import is_cub, is_nabirds, read_cub, read_nabirds
from trainer.data.readers.cars import is_cars, read_cars
from trainer.data.readers.dogs import is_dogs, read_dogs
from trainer.data.readers.fgvc import is_fgvc, read_fgvc
from trainer.data.readers.flowers import is_flowers, read_flowers
from trainer.data.readers.folders import (
    is_class_folders,
    is_split_folders,
    read_class_folders,
    read_split_folders,
)
from trainer.data.readers.image_files import class_folders, holds_images
from trainer.data.readers.imagenet import is_imagenet, read_imagenet
from trainer.data.readers.inaturalist import is_inaturalist, read_inaturalist
from trainer.data.readers.split_names import split_of
from trainer.data.readers.vtab import is_vtab, read_vtab
from trainer.data.subset import check_proportion, subset
from trainer.data.task_data import TaskData, check, name_task
from trainer.errors import DataError


@dataclass(frozen=True)
class Layout:
    """One way to lay out a task in a folder."""

    description: str
    matches: Callable[[Path], bool]
    read: Callable[[Path, str, int], TaskData]


# The first that matches is read: lists that somebody made for this task come before the official
# archives, and plain folders, which nearly anything resembles, come last.
LAYOUTS = (
    Layout(
        "VTAB-1k lists (train800.txt, val200.txt, test.txt)",
        is_vtab,
        lambda folder, name, _: read_vtab(folder, name),
    ),
    Layout("FGVC lists (train.json, test.json)", is_fgvc, read_fgvc),
    Layout("the Stanford Cars archives (devkit/)", is_cars, read_cars),
    Layout("the CUB-200-2011 archive (images.txt)", is_cub, read_cub),
    Layout("the NABirds archive (images.txt, hierarchy.txt)", is_nabirds, read_nabirds),
    Layout(
        "the Oxford Flowers files (setid.mat)",
        is_flowers,
        lambda folder, name, _: read_flowers(folder, name),
    ),
    Layout("the Stanford Dogs archives (train_list.mat)", is_dogs, read_dogs),
    Layout("the iNaturalist 2018 archives (train2018.json)", is_inaturalist, read_inaturalist),
    Layout("ImageNet-1k (train/<wnid>/, val/)", is_imagenet, read_imagenet),
    Layout("train/<class>/ and test/<class>/", is_split_folders, read_split_folders),
    Layout("<class>/ folders of images", is_class_folders, read_class_folders),
)


def load_task(
    name: str,
    data: Path | None,
    seed: int = 0,
    *,
    builtin_root: Path = BUILTIN_ROOT,
    proportion: float = 1.0,
    skip_unreadable: bool = False,
) -> TaskData:
    """Find, read and check one task.

    Args:
        name: the task's id; a built-in name needs no data.
        data: the task's folder, or a folder that holds one called `name`; None means `data/<name>`.
        seed: decides the splits that a layout leaves open, and the share of `proportion`.
        builtin_root: where built-in tasks are drawn, once each.
        proportion: share of each class's training images, in (0, 1]; validation and test are
            whole.
        skip_unreadable: leave out every file that cannot be trained on, once all are decoded.

    Raises:
        DataError: there is no such data, it cannot be trained on, or the proportion is out of
            range.
    """
    _check_name(name)
    check_proportion(proportion)
    if name in BUILTIN_NAMES:
        _refuse_data(name, data)
        task_data = read_vtab(materialise(name, builtin_root), name)
    else:
        task_data = _read(name, data, seed)
    if skip_unreadable:
        task_data = without(task_data, bad_files(task_data))
    _check(task_data)
    if proportion == 1:
        return task_data
    return replace(task_data, train=subset(task_data.train, proportion, seed))


def _check(data: TaskData) -> None:
    known = PUBLIC_TASKS.get(data.task.id)
    try:
        check(data, missing_classes_ok=known is not None and known.missing_classes_ok)
        check_no_single(data.task, data.labels())
    except DataError as error:
        raise with_strays(error, data) from error


def _check_name(name: str) -> None:
    try:
        check_task_id(name)
    except ValueError as error:
        raise DataError(str(error)) from error


def _refuse_data(name: str, data: Path | None) -> None:
    if data is not None:
        raise DataError(
            f"{name} is a built-in task and takes no data, found DATA={data}; "
            "drop DATA=, or give your task another name"
        )


def _read(name: str, data: Path | None, seed: int) -> TaskData:
    try:
        folder, layout = _find(name, data)
        return layout.read(folder, name, seed)
    except OSError as error:
        raise DataError(
            f"{name}: {error.filename or data}: {error.strerror or error}; check that this user "
            "may read the task's folder and everything in it"
        ) from error


def _find(name: str, data: Path | None) -> tuple[Path, Layout]:
    known = PUBLIC_TASKS.get(name)
    roots = [DATA_ROOT / name] if data is None else [data / name, data]
    inner = [root / known.unpacked for root in roots] if known and known.unpacked else []
    for folder in (*roots, *inner):
        for layout in LAYOUTS:
            if layout.matches(folder):
                return folder, layout
    raise DataError(_nothing_found(name, data))


def _nothing_found(name: str, data: Path | None) -> str:
    folder = data or DATA_ROOT / name
    found = f"{name}: {folder} {_describe(folder)}"
    if name in PUBLIC_TASKS:
        known = PUBLIC_TASKS[name]
        return (
            f"{found}; expected there: {known.files}. Obtain: {known.source}. "
            "If the data is elsewhere, pass its folder as DATA="
        )
    if alone := _only_class(folder):
        check_several(name_task(name, [alone]))
    layouts = "; ".join(layout.description for layout in LAYOUTS)
    if data is not None:
        return f"{found}; expected there, or in {folder / name}, one of: {layouts}"
    return (
        f"{found}, and {name} is not a built-in task ({', '.join(BUILTIN_NAMES)})"
        f"; pass the folder of your images as DATA=, with one of: {layouts}{meant(name)}"
    )


def _only_class(folder: Path) -> str | None:
    """Return the name of the one folder of images inside, if there is but one."""
    classes = [f.name for f in class_folders(folder) if holds_images(f)] if folder.is_dir() else []
    return classes[0] if len(classes) == 1 and split_of(classes[0]) is None else None


def _describe(folder: Path) -> str:
    if not folder.is_dir():
        return "is not a folder" if folder.exists() else "does not exist"
    names = sorted(p.name for p in folder.iterdir() if not p.name.startswith("."))
    more = ", …" if len(names) > 6 else ""
    return f"holds {', '.join(names[:6])}{more}" if names else "is empty"
