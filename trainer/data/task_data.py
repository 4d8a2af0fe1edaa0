"""One task's images and labels, and the checks that every source of them must pass.

Knows nothing of folders' layouts, pixels or training.
"""

import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

from adapters.artifact.task import TargetKind, Task
from trainer.data.checks import check_no_gap, check_several, check_trained
from trainer.data.images.copies import Copy, copies_between
from trainer.data.images.image_file import ImageFile
from trainer.data.images.readable import content_digests
from trainer.data.names import check_visible, one_form
from trainer.errors import DataError

SPLITS = ("train", "val", "test")
_NAMED = 10
"""Missing files that a message names."""


@dataclass(frozen=True)
class Sample:
    """One image and what is learned of it.

    Attributes:
        path: the image, a file or a part of one.
        label: its class, from 0; with a target the stratum that splits are drawn by.
        target: of a multi-label task a 1 or 0 for each class, of a regression its number; None
            where the class is all.
    """

    path: ImageFile
    label: int
    target: tuple[float, ...] | None = None

    @property
    def learned(self) -> str:
        """What is learned of it, as lists and digests have it."""
        return str(self.label) if self.target is None else repr(self.target)


@dataclass(frozen=True)
class TaskData:
    """A task and its three disjoint splits; `test` is for the final number only.

    Attributes:
        task: its id and class names.
        train: gradients come from these.
        val: selection may look at these.
        test: see above.
        lists: from which file of the task's folder each split was read, for messages.
        strays: files among the images that are none by their names, each with the reason.
        left_out: files that were asked to be left out because they cannot be trained on.
        held_out: the splits that no list names, and that were drawn from the others by the seed.
        several: the first image that has not one label, and what it has; "" where all have one.
        target: what is learned of an image.
        listed_together: the labels of training and validation images in a list of both, by the
            list's name; none where the data have no such list.
    """

    task: Task
    train: tuple[Sample, ...]
    val: tuple[Sample, ...]
    test: tuple[Sample, ...]
    lists: Mapping[str, str] = field(default_factory=dict, hash=False)
    strays: Mapping[ImageFile, str] = field(default_factory=dict, hash=False)
    left_out: tuple[ImageFile, ...] = ()
    held_out: tuple[str, ...] = ()
    several: str = ""
    target: TargetKind = "single-label"
    listed_together: Mapping[str, Sequence[int]] = field(default_factory=dict, hash=False)

    @property
    def has_classes(self) -> bool:
        """Whether its images have classes, and not numbers."""
        return self.target != "regression"

    def contents(self) -> dict[str, list[str]]:
        """Return the sha256 of each image's bytes, in hex, by split; every image is read."""
        return {split: content_digests(images) for split, images in self.images().items()}

    def fingerprints(
        self, contents: Mapping[str, Sequence[str]] | None = None
    ) -> dict[str, dict[str, Any]]:
        """Return what tells these images from others, by `<split>_images`; see `fingerprint`.

        Args:
            contents: what `contents` returned, to read no image again.
        """
        contents = self.contents() if contents is None else contents
        root = _common_folder([image for images in self.images().values() for image in images])
        return {
            f"{split}_images": _fingerprint(samples, contents[split], root)
            for split, samples in self.splits().items()
        }

    def copies(self, contents: Mapping[str, Sequence[str]]) -> list[Copy]:
        """Return the images that are in two splits, by what `contents` returned."""
        return copies_between(self.images(), contents)

    def list_digests(self) -> dict[str, str]:
        """Return the sha256, in hex, of each split's list: which image has which label.

        Names are relative to the deepest folder that holds all images of the task, and sorted: the
        same lists at another place, or in another order, have the same digests. No image is read.
        """
        root = _common_folder([image for images in self.images().values() for image in images])
        return {split: _names_digest(samples, root) for split, samples in self.splits().items()}

    def labels(self) -> list[int]:
        """Return the labels of all splits, one per image."""
        return [sample.label for samples in self.splits().values() for sample in samples]

    def classes(self) -> list[int]:
        """Return the classes of all splits' images; see `classes_of`."""
        return classes_of(sample for samples in self.splits().values() for sample in samples)

    def sizes(self) -> dict[str, int]:
        """Return the number of classes and of images in each split, by name."""
        images = {split: len(samples) for split, samples in self.splits().items()}
        return {"classes": len(self.task.class_names)} | images

    def splits(self) -> dict[str, tuple[Sample, ...]]:
        """Return the samples by the split's name: train, val, test."""
        return {"train": self.train, "val": self.val, "test": self.test}

    def images(self) -> dict[str, list[ImageFile]]:
        """Return the images without their labels, likewise."""
        return {
            split: [sample.path for sample in samples] for split, samples in self.splits().items()
        }


def fingerprint(samples: Sequence[Sample]) -> dict[str, Any]:
    """Return what tells a list of images from any other; every image is read.

    Args:
        samples: at least one.

    Returns:
        `count`, and the sha256 of `names` and labels in any order, and of labels and `content` in
        the order of the list. Names are relative to the deepest folder that holds all images.
    """
    images = [sample.path for sample in samples]
    return _fingerprint(samples, content_digests(images), _common_folder(images))


def _fingerprint(samples: Sequence[Sample], contents: Sequence[str], root: str) -> dict[str, Any]:
    lines = (f"{s.learned} {content}\n" for s, content in zip(samples, contents, strict=True))
    content = hashlib.sha256("".join(lines).encode()).hexdigest()
    return {"count": len(samples), "names": _names_digest(samples, root), "content": content}


def _names_digest(samples: Sequence[Sample], root: str) -> str:
    lines = "".join(_list_lines(samples, root))
    return hashlib.sha256(lines.encode(errors="surrogateescape")).hexdigest()


def _common_folder(paths: Sequence[ImageFile]) -> str:
    """Return what all paths share: what the first and the last of them share, once sorted."""
    names = [str(path) for path in paths]
    return os.path.commonpath([Path(min(names)).parent, Path(max(names)).parent]) if names else ""


def _list_lines(samples: Sequence[Sample], root: str) -> list[str]:
    return sorted(
        f"{PurePath(str(s.path)).relative_to(root).as_posix()} {s.learned}\n" for s in samples
    )


def name_task(name: str, class_names: Sequence[str]) -> Task:
    """Make a task; a class name that appears twice becomes `name (<index>)` each time.

    Names are in Unicode's composed form (NFC) from here on.

    Args:
        name: the task's id.
        class_names: one per label, in label order.

    Raises:
        DataError: there is no class, or a name holds characters that cannot be seen.
    """
    names = [one_form(class_name) for class_name in class_names]
    if not names:
        raise DataError(f"{name}: no class is listed, expected at least one; correct the lists")
    check_visible(name, names)
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
        DataError: an empty split, a label out of range, one class only, a class without an image
            or without a training image, a file listed twice, or a missing file.
    """
    check_splits(data)
    if data.has_classes:
        check_several(data.task)
        check_no_gap(data.task, data.classes())
        if not missing_classes_ok:
            check_trained(data.task, classes_of(data.train))
    _check_disjoint(data)
    _check_files(data)


def check_splits(data: TaskData) -> None:
    """Refuse a split without images, and a label that is no class.

    Raises:
        DataError: naming the split.
    """
    for split, samples in data.splits().items():
        _check_split(data.task, split, samples)


def classes_of(samples: Iterable[Sample]) -> list[int]:
    """Return the classes of images: one for each, or of a multi-label task any number.

    Not for numbers, which are no classes.
    """
    return [
        place
        for sample in samples
        for place in (
            [sample.label]
            if sample.target is None
            else [place for place, mark in enumerate(sample.target) if mark]
        )
    ]


def _check_split(task: Task, split: str, samples: Sequence[Sample]) -> None:
    if not samples:
        raise DataError(
            f"{task.id}: the {split} split is empty, expected at least one image; "
            "add images or correct the list"
        )
    num_classes = len(task.class_names)
    for sample in samples:
        if sample.target is None and not 0 <= sample.label < num_classes:
            raise DataError(
                f"{task.id}, {split}: {sample.path} has label {sample.label}, expected 0 to "
                f"{num_classes - 1} ({num_classes} classes); correct the label or the class list"
            )


def _check_disjoint(data: TaskData) -> None:
    home: dict[str, str] = {}
    twice: list[tuple[ImageFile, str, str]] = []
    for split, samples in data.splits().items():
        for sample in samples:
            place = os.path.normpath(str(sample.path))
            if place in home:
                twice.append((sample.path, home[place], split))
            home[place] = split
    if twice:
        path, first, second = twice[0]
        where = f"in both {first} and {second}" if first != second else f"twice in {first}"
        raise DataError(
            f"{data.task.id}: {path} is {where}, expected disjoint splits and each image once; "
            f"{len(twice)} images are listed again; take each off one list"
        )


def _check_files(data: TaskData) -> None:
    listed = [(s.path, split) for split, samples in data.splits().items() for s in samples]
    missing = [(path, split) for path, split in listed if not path.is_file()]
    if missing:
        path, split = missing[0]
        others = ", ".join(str(path) for path, _ in missing[1:_NAMED])
        more = f" and {len(missing) - _NAMED:,} more" if len(missing) > _NAMED else ""
        raise DataError(
            f"{data.task.id}: {path} is missing, named by {data.lists.get(split, split)}; "
            f"{len(missing)} of {len(listed)} listed images are not there"
            f"{f' (also {others}{more})' if others else ''}; unpack the images again or correct "
            "the list"
        )
