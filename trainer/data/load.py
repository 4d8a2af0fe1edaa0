"""From a task's name to its images and labels: built-in, or a folder of a recognised layout."""

from dataclasses import replace
from pathlib import Path

from adapters.artifact.task import check_task_id
from trainer.data.bad_files import bad_files, with_strays, without
from trainer.data.builtin.materialise import materialise
from trainer.data.checks import check_no_single, check_spread
from trainer.data.known import BUILTIN_NAMES, BUILTIN_ROOT, DATA_ROOT
from trainer.data.labels.rules import AS_CLASSES, LabelRules, read_labels
from trainer.data.layouts import Layout, layout_of
from trainer.data.not_found import nothing_found
from trainer.data.public.tasks import PUBLIC_TASKS
from trainer.data.readers.levels import unwrapped
from trainer.data.readers.vtab import read_vtab
from trainer.data.subset import check_proportion, few_shots, subset
from trainer.data.task_data import TaskData, check
from trainer.errors import DataError


def load_task(  # noqa: PLR0913
    name: str,
    data: Path | None,
    seed: int = 0,
    *,
    builtin_root: Path = BUILTIN_ROOT,
    proportion: float = 1.0,
    shots: int | None = None,
    skip_unreadable: bool = False,
    labels: LabelRules = AS_CLASSES,
) -> TaskData:
    """Find, read and check one task.

    Args:
        name: the task's id; a built-in name needs no data.
        data: the task's folder, or a folder that holds one called `name`; None means `data/<name>`.
        seed: decides the splits that a layout leaves open, and what `proportion` and `shots` draw.
        builtin_root: where built-in tasks are drawn, once each.
        proportion: share of each class's training images, in (0, 1]; validation and test are
            whole.
        shots: training images of each class, at most; None is all. Validation and test are whole.
        skip_unreadable: leave out every file that cannot be trained on, once all are decoded.
        labels: what is learned of an image, and how its label says it.

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
    if labels.target != "multi-label":
        _refuse_several(task_data)
    task_data = read_labels(task_data, labels, seed)
    if skip_unreadable:
        task_data = without(task_data, bad_files(task_data))
    _check(task_data)
    train = task_data.train
    if proportion < 1:
        train = subset(train, proportion, seed)
    if shots is not None:
        train = few_shots(train, shots, seed)
    if not task_data.has_classes:
        check_spread(task_data.task, [sample.target[0] for sample in train if sample.target])
    if len(train) < len(task_data.train):
        task_data = replace(task_data, listed_together={})  # lists more than was drawn
    return replace(task_data, train=train)


def _refuse_several(data: TaskData) -> None:
    if data.several:
        raise DataError(
            f"{data.several}, expected one; learn them all with --set "
            "target=multi-label, keep one label of each image, or leave the image out"
        )


def _check(data: TaskData) -> None:
    known = PUBLIC_TASKS.get(data.task.id)
    try:
        check(data, missing_classes_ok=known is not None and known.missing_classes_ok)
        if data.has_classes:
            check_no_single(data.task, data.classes())
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
    wrapped = [unwrapped(root) for root in roots if root.is_dir()]
    for folder in (*roots, *inner, *wrapped):
        if layout := layout_of(folder):
            return folder, layout
    raise DataError(nothing_found(name, data))
