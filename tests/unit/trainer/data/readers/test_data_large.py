import json
from pathlib import Path

import pytest

from tests.unit.trainer.replicas import (
    WNIDS,
    add_imagenet_devkit,
    make_folders,
    make_imagenet,
    make_inaturalist,
)
from trainer.data.readers.imagenet import is_imagenet, read_imagenet
from trainer.data.readers.inaturalist import read_inaturalist
from trainer.data.task_data import TaskData, check
from trainer.errors import DataError


def labels_by_name(data: TaskData) -> dict[str, int]:
    return {s.path.name: s.label for s in data.test}


def test_imagenets_validation_folders_are_the_test_split(tmp_path: Path) -> None:
    data = read_imagenet(make_imagenet(tmp_path), "imagenet1k", 0)
    check(data)
    assert data.task.class_names == WNIDS
    assert (len(data.train), len(data.val), len(data.test)) == (9, 1, 2)
    assert [s.path.parent.parent.name for s in data.val + data.test] == ["train", "val", "val"]
    assert all(s.path.parent.name == WNIDS[s.label] for s in data.train + data.val + data.test)


def test_the_synset_mapping_names_the_classes(tmp_path: Path) -> None:
    make_imagenet(tmp_path)
    (tmp_path / "LOC_synset_mapping.txt").write_text(
        f"{WNIDS[0]} tench, Tinca tinca\n{WNIDS[1]} goldfish\n"
    )
    names = read_imagenet(tmp_path, "imagenet1k", 0).task.class_names
    assert names == ("tench, Tinca tinca", "goldfish")


def test_a_flat_validation_folder_is_labelled_by_kaggles_list(tmp_path: Path) -> None:
    make_imagenet(tmp_path, val="flat")
    (tmp_path / "LOC_val_solution.csv").write_text(
        f"ImageId,PredictionString\nILSVRC2012_val_00000002,{WNIDS[1]} 1 2 3 4\n"
        f"ILSVRC2012_val_00000001,{WNIDS[0]} 1 2 3 4 {WNIDS[0]} 5 6 7 8\n"
    )
    data = read_imagenet(tmp_path, "imagenet1k", 0)
    check(data)
    expected = {"ILSVRC2012_val_00000001.JPEG": 0, "ILSVRC2012_val_00000002.JPEG": 1}
    assert labels_by_name(data) == expected


def test_a_flat_validation_folder_is_labelled_and_named_by_the_devkit(tmp_path: Path) -> None:
    add_imagenet_devkit(make_imagenet(tmp_path, val="flat"))
    data = read_imagenet(tmp_path, "imagenet1k", 0)
    check(data)
    expected = {"ILSVRC2012_val_00000001.JPEG": 0, "ILSVRC2012_val_00000002.JPEG": 1}
    assert labels_by_name(data) == expected
    assert data.task.class_names == ("tench, Tinca tinca", "goldfish, Carassius auratus")


def test_a_flat_validation_folder_without_labels_says_what_to_add(tmp_path: Path) -> None:
    make_imagenet(tmp_path, val="flat")
    with pytest.raises(DataError, match=r"found no folder <wnid>/, expected .*LOC_val_solution"):
        read_imagenet(tmp_path, "imagenet1k", 0)


def test_a_missing_validation_folder_is_named(tmp_path: Path) -> None:
    make_folders(tmp_path, {f"train/{wnid}": 3 for wnid in WNIDS})
    assert is_imagenet(tmp_path)
    with pytest.raises(DataError, match=r"val/ is missing; the ImageNet folder holds train/<wnid"):
        read_imagenet(tmp_path, "imagenet1k", 0)


@pytest.mark.parametrize(
    ("truth", "complaint"),
    [("2\n9\n", "ground_truth.txt:2: expected a class number"), ("2\n3\n", ".txt:2: expected a")],
)
def test_a_class_number_that_is_no_leaf_of_the_devkit_is_refused(
    tmp_path: Path, truth: str, complaint: str
) -> None:
    devkit = add_imagenet_devkit(make_imagenet(tmp_path, val="flat"))
    (devkit / "ILSVRC2012_validation_ground_truth.txt").write_text(truth)
    with pytest.raises(DataError, match=complaint):
        read_imagenet(tmp_path, "imagenet1k", 0)


def test_a_malformed_solution_line_is_shown(tmp_path: Path) -> None:
    make_imagenet(tmp_path, val="flat")
    (tmp_path / "LOC_val_solution.csv").write_text("ILSVRC2012_val_00000001\n")
    with pytest.raises(DataError, match=r"solution\.csv:1: .* found 'ILSVRC2012_val_00000001'"):
        read_imagenet(tmp_path, "imagenet1k", 0)


def test_a_validation_class_that_train_lacks_is_named(tmp_path: Path) -> None:
    make_folders(make_imagenet(tmp_path), {"val/n09999999": 1})
    with pytest.raises(DataError, match=r"names n09999999, expected one of the 2 classes of train"):
        read_imagenet(tmp_path, "imagenet1k", 0)


def test_wnid_folders_with_a_test_folder_are_plain_folders(tmp_path: Path) -> None:
    make_folders(tmp_path, {f"{split}/{w}": 2 for split in ("train", "test") for w in WNIDS})
    assert not is_imagenet(tmp_path)


def test_inaturalist_is_read_with_its_ids_mapped_over_both_lists(tmp_path: Path) -> None:
    data = read_inaturalist(make_inaturalist(tmp_path), "inaturalist2018", 0)
    check(data)
    assert data.task.class_names == ("0003", "0008")
    assert (len(data.train), len(data.val), len(data.test)) == (9, 1, 2)
    for sample in data.train + data.val + data.test:
        assert sample.label == {"3": 0, "8": 1}[sample.path.parent.name]


def test_categories_json_names_the_species(tmp_path: Path) -> None:
    make_inaturalist(tmp_path)
    species = [{"id": 8, "name": "Poecile atricapillus"}, {"id": 3, "name": "Anas acuta"}]
    (tmp_path / "categories.json").write_text(json.dumps(species))
    names = read_inaturalist(tmp_path, "inaturalist2018", 0).task.class_names
    assert names == ("Anas acuta", "Poecile atricapillus")


def test_a_category_without_an_image_is_a_gap(tmp_path: Path) -> None:
    make_inaturalist(tmp_path)
    species = [{"id": i, "name": name} for i, name in ((3, "a"), (5, "b"), (8, "c"))]
    (tmp_path / "categories.json").write_text(json.dumps(species))
    with pytest.raises(DataError, match=r"1 of 3 classes have no image in any list \(b\)"):
        check(read_inaturalist(tmp_path, "inaturalist2018", 0))


@pytest.mark.parametrize("name", ["train2018.json", "val2018.json"])
def test_a_missing_inaturalist_list_is_named(tmp_path: Path, name: str) -> None:
    (make_inaturalist(tmp_path) / name).unlink()
    with pytest.raises(DataError, match=rf"{name} is missing; the iNaturalist folder holds"):
        read_inaturalist(tmp_path, "inaturalist2018", 0)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{", "is not JSON"),
        ("[]", "expected images with 'id'"),
        ('{"images": []}', "found none of 'annotations'"),
        (
            '{"images": [{"id": 1, "file_name": "a"}], "annotations": '
            '[{"image_id": 1, "category_id": 99}]}',
            "an annotation names category 99",
        ),
        (
            '{"images": [], "annotations": [{"image_id": 1, "category_id": 3}]}',
            "an annotation names image 1",
        ),
    ],
)
def test_a_malformed_inaturalist_list_is_one_clear_line(
    tmp_path: Path, text: str, complaint: str
) -> None:
    (make_inaturalist(tmp_path) / "val2018.json").write_text(text)
    with pytest.raises(DataError, match=complaint) as caught:
        read_inaturalist(tmp_path, "inaturalist2018", 0)
    assert "val2018.json" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_malformed_categories_are_one_clear_line(tmp_path: Path) -> None:
    make_inaturalist(tmp_path)
    (tmp_path / "categories.json").write_text('[{"id": 3}]')
    with pytest.raises(DataError, match=r"categories\.json: expected categories with 'id' and"):
        read_inaturalist(tmp_path, "inaturalist2018", 0)
