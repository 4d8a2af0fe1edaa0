"""Every layout of a task in a folder that is recognised, and which of them a folder has.

Knows the readers, not what they read.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

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
from trainer.data.readers.formats.coco import is_coco, read_coco
from trainer.data.readers.formats.columnar import is_columnar, read_columnar
from trainer.data.readers.formats.webdataset import is_webdataset, read_webdataset
from trainer.data.readers.imagenet import is_imagenet, read_imagenet
from trainer.data.readers.inaturalist import is_inaturalist, read_inaturalist
from trainer.data.readers.tables import is_table, read_table
from trainer.data.readers.vtab import is_vtab, read_vtab
from trainer.data.task_data import TaskData


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
    Layout(
        "COCO's lists (.json)",
        lambda place: is_coco(place) and not is_inaturalist(place),  # whose lists are such, too
        read_coco,
    ),
    Layout("FGVC lists (train.json, test.json)", is_fgvc, read_fgvc),
    Layout("a CSV, TSV or JSONL list with path, label and maybe split", is_table, read_table),
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
    Layout("Parquet files, or a folder of datasets.save_to_disk", is_columnar, read_columnar),
    Layout("WebDataset shards (.tar)", is_webdataset, read_webdataset),
    Layout(
        "train/<class>/, and test/<class>/ or val/<class>/", is_split_folders, read_split_folders
    ),
    Layout("<class>/ folders of images", is_class_folders, read_class_folders),
)


def layout_of(folder: Path) -> Layout | None:
    """Return the layout that a folder has; None for none that we know."""
    return next((layout for layout in LAYOUTS if layout.matches(folder)), None)
