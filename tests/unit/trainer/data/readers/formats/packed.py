"""Small data sets as other programs write them: shards, Parquet, `save_to_disk`, COCO."""

import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def picture(shade: int) -> bytes:
    """Return a small PNG, another one for each shade."""
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), (shade % 256, shade // 256, 100)).save(buffer, "png")
    return buffer.getvalue()


def make_shard(path: Path, files: Mapping[str, bytes]) -> Path:
    """Write a tar of files, in their order."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def pairs(labels: Sequence[object], start: int = 0) -> dict[str, bytes]:
    """Return the files of a shard: a picture and the text of its label for each."""
    files = {}
    for i, label in enumerate(labels, start):
        files |= {f"{i:04d}.png": picture(i), f"{i:04d}.cls": str(label).encode()}
    return files


def features(names: Sequence[str], **others: object) -> dict[str, Any]:
    """Return what `datasets` notes of the columns image and label."""
    label = {"_type": "ClassLabel", "names": [*names]}
    return {"image": {"_type": "Image"}, "label": label, **others}


def table(
    labels: Sequence[object], start: int = 0, noted: Mapping[str, Any] | None = None
) -> pa.Table:
    """Return pictures as `{bytes, path}` with labels, and what `datasets` notes of them."""
    images = [{"bytes": picture(i), "path": f"{i}.png"} for i in range(start, start + len(labels))]
    made = pa.table({"image": pa.array(images, IMAGE), "label": pa.array(labels)})
    if noted is None:
        return made
    return made.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": noted}})})


def make_parquet(path: Path, content: pa.Table, rows_per_group: int = 3) -> Path:
    """Write a table in groups of a few rows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(content, path, row_group_size=rows_per_group)
    return path


def make_saved(folder: Path, splits: Mapping[str, pa.Table], noted: Mapping[str, Any]) -> Path:
    """Write what `DatasetDict.save_to_disk` does, each split in batches of two rows."""
    for split, content in splits.items():
        inside = folder / split
        inside.mkdir(parents=True)
        name = "data-00000-of-00001.arrow"
        with pa.ipc.new_stream(inside / name, content.schema) as stream:
            stream.write_table(content, max_chunksize=2)
        state = {"_data_files": [{"filename": name}], "_split": split}
        (inside / "state.json").write_text(json.dumps(state))
        (inside / "dataset_info.json").write_text(json.dumps({"features": noted}))
    (folder / "dataset_dict.json").write_text(json.dumps({"splits": [*splits]}))
    return folder


def coco(images: Mapping[str, Sequence[int]], categories: Mapping[int, str]) -> dict[str, Any]:
    """Return a list of images by file, each with the categories of its annotations."""
    return {
        "images": [{"id": i, "file_name": file} for i, file in enumerate(images)],
        "annotations": [
            {"image_id": i, "category_id": category, "bbox": [0, 0, 1, 1]}
            for i, ids in enumerate(images.values())
            for category in ids
        ],
        "categories": [{"id": i, "name": name} for i, name in categories.items()],
    }


def make_coco(path: Path, document: Mapping[str, Any], images: Path) -> Path:
    """Write a list, and its images into a folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    images.mkdir(parents=True, exist_ok=True)
    for i, image in enumerate(document["images"]):
        (images / image["file_name"]).write_bytes(picture(i))
    path.write_text(json.dumps(document))
    return path
