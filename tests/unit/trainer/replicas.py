"""Small folders in the layouts that the readers know."""

import json
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.io import savemat

from adapters.artifact.task import Task
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


def make_birds(
    folder: Path,
    classes: dict[int, str],
    images: list[tuple[str, int, bool]],
    hierarchy: str | None = None,
) -> Path:
    """Write CUB's and NABirds' lists; `images` are path, class id and whether it trains."""
    folder.mkdir(parents=True, exist_ok=True)
    named = hierarchy is not None
    ids = [f"0000{i:04x}-21dc-4d0c" if named else str(i) for i in range(1, len(images) + 1)]
    lines: dict[str, list[str]] = {"images": [], "image_class_labels": [], "train_test_split": []}
    for i, (image, (path, class_id, training)) in enumerate(zip(ids, images, strict=True)):
        save_image(folder / "images" / path, i)
        lines["images"].append(f"{image} {path}")
        lines["image_class_labels"].append(f"{image} {class_id}")
        lines["train_test_split"].append(f"{image} {int(training)}")
    lines["classes"] = [f"{class_id} {name}" for class_id, name in classes.items()]
    for name, rows in lines.items():
        (folder / f"{name}.txt").write_text("".join(f"{row}\n" for row in rows))
    if hierarchy is not None:
        (folder / "hierarchy.txt").write_text(hierarchy)
    return folder


def make_cub(folder: Path, per_class: int = 6) -> Path:
    """Write two species, the last image of each for test."""
    classes = {1: "001.Black_footed_Albatross", 2: "002.Laysan_Albatross"}
    images = [
        (f"{name}/{i}.jpg", class_id, i < per_class - 1)
        for class_id, name in classes.items()
        for i in range(per_class)
    ]
    return make_birds(folder, classes, images)


def make_nabirds(folder: Path, per_class: int = 6) -> Path:
    """Write two species of a tree of four groups; ids have gaps, as the official ones."""
    classes = {
        0: "Birds",
        10: "Ducks, Geese, and Swans",
        295: "Mallard (Male)",
        817: "Oak Titmouse",
    }
    images = [
        (f"{class_id:04d}/{i}.jpg", class_id, i < per_class - 1)
        for class_id in (817, 295)
        for i in range(per_class)
    ]
    return make_birds(folder, classes, images, hierarchy="10 0\n295 10\n817 0\n")


def make_flowers(folder: Path, num_classes: int = 3) -> Path:
    """Write one image of each class and split, numbered class by class."""
    labels = [i // 3 + 1 for i in range(3 * num_classes)]
    for i in range(len(labels)):
        save_image(folder / "jpg" / f"image_{i + 1:05d}.jpg", i)
    numbers = np.arange(1, len(labels) + 1)
    sets = {"trnid": numbers[::3], "valid": numbers[1::3], "tstid": numbers[2::3]}
    savemat(folder / "setid.mat", sets)
    savemat(folder / "imagelabels.mat", {"labels": np.array([labels], dtype=np.uint8)})
    return folder


def make_dogs(folder: Path, per_class: int = 5) -> Path:
    """Write two breeds; labels are doubles, as in the official lists."""
    breeds = ["n02085620-Chihuahua", "n02089078-black-and-tan_coonhound"]
    for file, count, start in (("train_list.mat", per_class, 0), ("test_list.mat", 2, 100)):
        images = [f"{b}/{b[:9]}_{start + i}.jpg" for b in breeds for i in range(count)]
        for i, image in enumerate(images):
            save_image(folder / "Images" / image, start + i)
        cells = np.empty((len(images), 1), dtype=object)
        cells[:, 0] = images
        labels = np.array([[float(i // count + 1)] for i in range(len(images))])
        savemat(folder / file, {"file_list": cells, "labels": labels})
    return folder


def make_inaturalist(folder: Path, per_class: int = 5) -> Path:
    """Write two species with the obfuscated names of the first release."""
    categories = [{"id": 3, "name": "0003"}, {"id": 8, "name": "0008"}]
    for file, count in (("train2018.json", per_class), ("val2018.json", 1)):
        images, annotations = [], []
        for category in (8, 3):
            for i in range(count):
                name = f"train_val2018/Aves/{category}/{file[:3]}{i}.jpg"
                save_image(folder / name, i)
                images.append({"id": len(images) + 50, "file_name": name})
                annotations.append({"image_id": images[-1]["id"], "category_id": category})
        document = {"images": images, "annotations": annotations, "categories": categories}
        (folder / file).write_text(json.dumps(document))
    return folder


WNIDS = ("n01440764", "n01443537")


def make_imagenet(folder: Path, per_class: int = 5, val: str = "folders") -> Path:
    """Write two classes; `val` is "folders", or "flat" without any list of labels."""
    for wnid in WNIDS:
        for i in range(per_class):
            save_image(folder / "train" / wnid / f"{wnid}_{i}.JPEG", i)
    for i, wnid in enumerate(WNIDS, start=1):
        inner = wnid if val == "folders" else ""
        save_image(folder / "val" / inner / f"ILSVRC2012_val_{i:08d}.JPEG", 200 + i)
    return folder


def add_imagenet_devkit(folder: Path) -> Path:
    """Write the devkit's lists: class numbers against the order of the wnids, and one group."""
    devkit = folder / "ILSVRC2012_devkit_t12" / "data"
    devkit.mkdir(parents=True)
    kinds = [(n, object) for n in ("ILSVRC2012_ID", "WNID", "words", "gloss", "num_children")]
    rows = np.zeros((3, 1), dtype=kinds)
    rows[0, 0] = (1, WNIDS[1], "goldfish, Carassius auratus", "a fish", 0)
    rows[1, 0] = (2, WNIDS[0], "tench, Tinca tinca", "a fish", 0)
    rows[2, 0] = (3, "n01429349", "fish", "a group", 2)
    savemat(devkit / "meta.mat", {"synsets": rows})
    (devkit / "ILSVRC2012_validation_ground_truth.txt").write_text("2\n1\n")
    return devkit
