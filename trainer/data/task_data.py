"""One task's images and labels, and the checks that every source of them must pass.

Knows nothing of folders' layouts, pixels or training.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from adapters.errors import BadImage
from adapters.preprocess import decode_image
from adapters.task import Task
from trainer.errors import DataError

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Sample:
    """One image file and the label of its class, from 0."""

    path: Path
    label: int


@dataclass(frozen=True)
class TaskData:
    """A task and its three disjoint splits; `test` is for the final number only."""

    task: Task
    train: tuple[Sample, ...]
    val: tuple[Sample, ...]
    test: tuple[Sample, ...]

    def digest(self) -> str:
        """Return the sha256, in hex, of the training labels and file bytes, in list order."""
        whole = hashlib.sha256()
        for sample in self.train:
            content = hashlib.sha256(sample.path.read_bytes()).hexdigest()
            whole.update(f"{sample.label} {content}\n".encode())
        return whole.hexdigest()

    def splits(self) -> dict[str, tuple[Sample, ...]]:
        """Return the samples by the split's name: train, val, test."""
        return {"train": self.train, "val": self.val, "test": self.test}


def name_task(name: str, class_names: Sequence[str]) -> Task:
    """Make a task; a class name that appears twice becomes `name (<index>)` each time.

    Args:
        name: the task's id.
        class_names: one per label, in label order.
    """
    names = list(class_names)
    while len(set(names)) < len(names):
        count = Counter(names)
        names = [f"{n} ({i})" if count[n] > 1 else n for i, n in enumerate(names)]
    return Task(id=name, class_names=tuple(names))


def check(data: TaskData, *, missing_classes_ok: bool = False) -> None:
    """Refuse data that cannot be trained on, before any image is decoded.

    Args:
        data: what a reader made.
        missing_classes_ok: accept classes without a training image, as a few public samples
            have; such a class is never learned, but its test images count.

    Raises:
        DataError: an empty split, a label out of range, a class without a training image, a file
            in two splits, or a missing file.
    """
    for split, samples in data.splits().items():
        _check_split(data.task, split, samples)
    if not missing_classes_ok:
        _check_classes(data)
    _check_disjoint(data)
    _check_files(data)


def check_readable(samples: Sequence[Sample]) -> None:
    """Decode every image once, in parallel, as training and serving will.

    Raises:
        DataError: some cannot be decoded; the first is named with its reason.
    """
    with ThreadPoolExecutor() as pool:
        reasons = list(pool.map(_why_unreadable, (s.path for s in samples)))
    bad = [(s.path, why) for s, why in zip(samples, reasons, strict=True) if why is not None]
    if bad:
        path, why = bad[0]
        others = ", ".join(str(p) for p, _ in bad[1:4])
        raise DataError(
            f"{path}: {why}; {len(bad)} of {len(samples)} images cannot be read"
            f"{f' (also {others})' if others else ''}; replace the files or take them off the lists"
        )


def _why_unreadable(path: Path) -> str | None:
    try:
        decode_image(path.read_bytes())
    except (BadImage, OSError) as error:
        return str(error)
    return None


def _check_split(task: Task, split: str, samples: Sequence[Sample]) -> None:
    if not samples:
        raise DataError(
            f"{task.id}: the {split} split is empty, expected at least one image; "
            "add images or correct the list"
        )
    num_classes = len(task.class_names)
    for sample in samples:
        if not 0 <= sample.label < num_classes:
            raise DataError(
                f"{task.id}, {split}: {sample.path} has label {sample.label}, expected 0 to "
                f"{num_classes - 1} ({num_classes} classes); correct the label or the class list"
            )


def _check_classes(data: TaskData) -> None:
    seen = {sample.label for sample in data.train}
    empty = [n for i, n in enumerate(data.task.class_names) if i not in seen]
    if empty:
        more = ", …" if len(empty) > 5 else ""
        raise DataError(
            f"{data.task.id}: {len(empty)} of {len(data.task.class_names)} classes have no "
            f"training image ({', '.join(empty[:5])}{more}), expected at least one each; "
            "add images or remove the class from every split"
        )


def _check_disjoint(data: TaskData) -> None:
    home: dict[Path, str] = {}
    for split, samples in data.splits().items():
        for sample in samples:
            if home.setdefault(sample.path, split) != split:
                raise DataError(
                    f"{data.task.id}: {sample.path} is in both {home[sample.path]} and {split}, "
                    "expected disjoint splits; take it off one list"
                )


def _check_files(data: TaskData) -> None:
    listed = [sample.path for samples in data.splits().values() for sample in samples]
    missing = [path for path in listed if not path.is_file()]
    if missing:
        raise DataError(
            f"{data.task.id}: {missing[0]} is missing; {len(missing)} of {len(listed)} listed "
            "images are not there; unpack the images again or correct the list"
        )
