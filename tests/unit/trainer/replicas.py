"""Small folders in the layouts that the readers know."""

import json
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.io import savemat

from adapters.task import Task
from trainer.data.task_data import Sample, TaskData


def save_image(path: Path, shade: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), (shade % 256, shade // 256, 100)).save(path)
    return path


def make_task_data(root: Path, num_classes: int = 2) -> TaskData:
    def split(name: str) -> tuple[Sample, ...]:
        return tuple(
            Sample(save_image(root / name / f"{label}.png", label), label)
            for label in range(num_classes)
        )

    names = tuple(f"class {i}" for i in range(num_classes))
    return TaskData(Task(id="toy", class_names=names), split("train"), split("val"), split("test"))


def make_vtab(folder: Path, num_classes: int = 3, classes: str | None = None) -> Path:
    for split in ("train800", "val200", "test"):
        lines = []
        for i in range(num_classes):
            name = f"images/{split}/{i:06d}.jpg"
            save_image(folder / name, i)
            lines.append(f"{name} {i}\n")
        (folder / f"{split}.txt").write_text("".join(lines))
    if classes is not None:
        (folder / "classes.txt").write_text(classes)
    return folder


def make_fgvc(folder: Path, lists: dict[str, dict[str, object]], root: str = "images") -> Path:
    for split, entries in lists.items():
        for i, name in enumerate(entries):
            save_image(folder / root / name, i)
        (folder / f"{split}.json").write_text(json.dumps(entries))
    return folder


def make_folders(folder: Path, classes: dict[str, int]) -> Path:
    for name, count in classes.items():
        for i in range(count):
            save_image(folder / name / f"{i:03d}.jpg", i)
    return folder


def make_cars(folder: Path, per_class: int = 5) -> Path:
    names = ["AM General Hummer SUV 2000", "Acura RL Sedan 2012"]
    devkit = folder / "devkit"
    devkit.mkdir(parents=True)
    savemat(devkit / "cars_meta.mat", {"class_names": np.array(names, dtype=object)})
    _save_list(devkit / "cars_train_annos.mat", folder / "cars_train", per_class)
    _save_list(folder / "cars_test_annos_withlabels.mat", folder / "cars_test", 1)
    return folder


def _save_list(path: Path, images: Path, per_class: int) -> None:
    kind = [("bbox_x1", object), ("class", object), ("fname", object)]
    rows = np.zeros((1, 2 * per_class), dtype=kind)
    for i in range(2 * per_class):
        rows[0, i] = (1, i % 2 + 1, f"{i + 1:05d}.jpg")
        save_image(images / f"{i + 1:05d}.jpg", i)
    savemat(path, {"annotations": rows})
