"""Labels that name several classes, numbers or ordered classes, in lists and in folders."""

import json
from pathlib import Path

import pytest

from trainer.data.labels.groups import read_groups
from trainer.data.labels.order import values_of
from trainer.data.labels.rules import LabelRules
from trainer.data.load import load_task
from trainer.data.task_data import Sample, TaskData
from trainer.errors import DataError

SEVERAL, NUMBER, ORDERED = (LabelRules(one) for one in ("multi-label", "regression", "ordinal"))


def make_list(folder: Path, rows: list[str], name: str = "list.csv", head: str = "") -> Path:
    """Write a list and an empty file for each of its images."""
    for row in rows:
        path = folder / row.split(",", 1)[0].strip('"')
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"never opened")
    text = "\n".join([head or "path,label,split", *rows])
    (folder / name).write_text(text)
    return folder / name


def split_rows(*labels: str) -> list[str]:
    """Return two lines in each split for every label."""
    return [
        f"{split}-{i}-{twice}.jpg,{label},{split}"
        for split in ("train", "val", "test")
        for i, label in enumerate(labels)
        for twice in range(2)
    ]


def named(data: TaskData, sample: Sample) -> set[str]:
    assert sample.target is not None
    pairs = zip(data.task.class_names, sample.target, strict=True)
    return {name for name, mark in pairs if mark}


def test_names_are_told_apart_by_the_separator_and_none_is_a_label_too(tmp_path: Path) -> None:
    data = load_task(
        "t", make_list(tmp_path, split_rows("cat|dog", "dog | cow", "|", "cow")), labels=SEVERAL
    )
    assert data.task.class_names == ("cat", "cow", "dog")
    assert [named(data, sample) for sample in data.train[::2]] == [
        {"cat", "dog"}, {"cow", "dog"}, set(), {"cow"},
    ]  # fmt: skip
    assert (data.target, data.sizes()["classes"]) == ("multi-label", 3)


def test_a_csv_of_a_spreadsheet_with_several_labels_is_read_as_it_is_meant(tmp_path: Path) -> None:
    rows = [
        ('"images/a, 1.jpg"', '"big cat|dog, wet"', "train"),
        ('"images/b ""2"".jpg"', '"dog, wet"', "train"),
        (f'"{tmp_path}/images/c.jpg"', "big cat", "val"),
        ("images/d.jpg", '"big cat | dog, wet"', "test"),
    ]
    for name in ("a, 1", 'b "2"', "c", "d"):
        (tmp_path / "images").mkdir(exist_ok=True)
        (tmp_path / "images" / f"{name}.jpg").write_bytes(b"never opened")
    lines = ["Path,Label,Split", *(",".join(row) for row in rows)]
    (tmp_path / "pets.csv").write_bytes(("\ufeff" + "\r\n".join(lines) + "\r\n").encode())
    data = load_task("pets", tmp_path, labels=SEVERAL)
    assert data.task.class_names == ("big cat", "dog, wet")
    assert [named(data, sample) for sample in (*data.train, *data.test)] == [
        {"big cat", "dog, wet"}, {"dog, wet"}, {"big cat", "dog, wet"},
    ]  # fmt: skip
    (tmp_path / "images" / "d.jpg").unlink()
    with pytest.raises(DataError, match=r"images/d\.jpg is missing, named by pets\.csv; 1 of 4"):
        load_task("pets", tmp_path, labels=SEVERAL)


def test_a_list_of_json_says_the_same(tmp_path: Path) -> None:
    lines = []
    for row in split_rows("x", "y", "z"):
        path, label, split = row.split(",")
        (tmp_path / path).write_bytes(b"never opened")
        names = {"x": ["cat", "dog"], "y": [], "z": ["cat"]}[label]
        lines.append(json.dumps({"path": path, "label": names, "split": split}))
    (tmp_path / "list.jsonl").write_text("\n".join(lines))
    data = load_task("t", tmp_path, labels=SEVERAL)
    assert [named(data, sample) for sample in data.val[::2]] == [{"cat", "dog"}, set(), {"cat"}]


def test_folders_may_name_several_classes(tmp_path: Path) -> None:
    for split in ("train", "test"):
        for name in ("cat", "cat+dog", "dog"):
            for i in range(20):
                path = tmp_path / split / name / f"{i}.jpg"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(b"never opened")
    data = load_task("t", tmp_path, labels=LabelRules("multi-label", "+"))
    assert data.task.class_names == ("cat", "dog")
    assert sum(sample.target == (1.0, 1.0) for sample in data.test) == 20
    assert (len(data.train), len(data.val)) == (54, 6)
    with pytest.raises(DataError, match=r"'cat\+dog' holds '\+': say which one"):
        load_task("t", tmp_path, labels=SEVERAL)


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        (("cat||dog", "dog"), "'cat||dog' holds an empty name, expected names with '|' between"),
        (("cat|", "dog"), "'cat|' holds an empty name"),
        (("cat|dog|cat", "dog"), "'cat|dog|cat' names 'cat' twice"),
        (("cat|dog", "Cat"), "differ only in upper and lower case"),
        (("cat;dog", "cat"), "'cat;dog' holds ';': say which one is between the names"),
        (("cat", "", "dog"), r"expected a path and a label"),
        (("cat", "cat"), "the only class is 'cat', expected two or more"),
    ],
)
def test_a_label_that_may_mean_two_things_is_refused(
    tmp_path: Path, labels: tuple[str, ...], told: str
) -> None:
    table = make_list(tmp_path, split_rows(*labels))
    with pytest.raises(DataError) as caught:
        load_task("t", table, labels=SEVERAL)
    assert told in str(caught.value)


def test_an_image_that_is_listed_again_is_refused(tmp_path: Path) -> None:
    rows = [*split_rows("cat|dog", "dog"), "train-0-0.jpg,dog,train"]
    with pytest.raises(DataError, match=r"train-0-0\.jpg is twice in train"):
        load_task("t", make_list(tmp_path, rows), labels=SEVERAL)


def test_images_with_several_labels_are_divided_by_their_rarest_class(tmp_path: Path) -> None:
    labels = ["common"] * 160 + ["common|rare"] * 20 + ["|"] * 20
    rows = [f"{i}.jpg,{label}" for i, label in enumerate(labels)]
    table = make_list(tmp_path, rows, head="path,label")
    data = load_task("t", table, labels=SEVERAL)
    counts = [
        [
            sum(named(data, sample) == own for sample in samples)
            for own in ({"common"}, {"common", "rare"}, set())
        ]
        for samples in data.splits().values()
    ]
    assert counts == [[128, 16, 16], [16, 2, 2], [16, 2, 2]]
    assert load_task("t", table, labels=SEVERAL) == data != load_task("t", table, 1, labels=SEVERAL)


def test_numbers_are_learned_as_they_are_and_divided_by_their_size(tmp_path: Path) -> None:
    rows = [f"{i}.jpg,{i / 10 - 5:g}" for i in range(100)]
    data = load_task("t", make_list(tmp_path, rows, head="path,label"), labels=NUMBER)
    assert (data.task.class_names, data.target) == (("value",), "regression")
    assert [len(samples) for samples in data.splits().values()] == [80, 10, 10]
    for samples in data.splits().values():
        for sample in samples:
            assert sample.target == (float(f"{int(sample.path.stem) / 10 - 5:g}"),)
        assert len({int(sample.path.stem) // 20 for sample in samples}) == 5


def test_numbers_of_given_splits_stay_where_they_are(tmp_path: Path) -> None:
    data = load_task("t", make_list(tmp_path, split_rows("1", "2e3", "-.5")), labels=NUMBER)
    assert [sample.target for sample in data.train[::2]] == [(1.0,), (2000.0,), (-0.5,)]
    assert all(sample.path.name.startswith("val") for sample in data.val)


@pytest.mark.parametrize("label", ["1.5 cm", "nan", "inf", "0x10", "1_000", "1e999", "one"])
def test_what_is_no_number_is_refused_and_shown(tmp_path: Path, label: str) -> None:
    with pytest.raises(DataError, match=rf"the label '{label}' is no number"):
        load_task("t", make_list(tmp_path, split_rows("1", label)), labels=NUMBER)


def test_numbers_that_are_all_the_same_teach_nothing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="all training images have the number 7"):
        load_task("t", make_list(tmp_path, split_rows("7", "7.0")), labels=NUMBER)


def test_ordered_classes_lie_in_the_order_of_their_numbers_or_in_one_that_is_given(
    tmp_path: Path,
) -> None:
    numbers = load_task(
        "t", make_list(tmp_path / "n", split_rows("10", "-1.5", "9")), labels=ORDERED
    )
    assert numbers.task.class_names == ("-1.5", "9", "10")
    assert [sample.label for sample in numbers.train[::2]] == [2, 0, 1]
    assert values_of(numbers.task.class_names) == (-1.5, 9.0, 10.0)
    order = ("poor", "fair", "good")
    rules = LabelRules("ordinal", order=order)
    words = load_task(
        "t", make_list(tmp_path / "w", split_rows("good", "fair", "poor")), labels=rules
    )
    assert (words.task.class_names, values_of(order)) == (order, (0.0, 1.0, 2.0))
    assert [sample.label for sample in words.train[::2]] == [2, 1, 0]


@pytest.mark.parametrize(
    ("order", "told"),
    [
        ((), "the class 'fair' is no number, so the order is not known"),
        (("poor", "good"), "not of the task's 3 classes, each once: see 'fair'"),
        (("poor", "fair", "good", "best"), "see 'best'"),
        (("poor", "fair", "fair", "good"), "see 'fair'"),
    ],
)
def test_an_order_that_is_not_of_the_classes_is_refused(
    tmp_path: Path, order: tuple[str, ...], told: str
) -> None:
    table = make_list(tmp_path, split_rows("fair", "good", "poor"))
    with pytest.raises(DataError, match=told):
        load_task("t", table, labels=LabelRules("ordinal", order=order))


def test_groups_are_read_for_each_class(tmp_path: Path) -> None:
    path = tmp_path / "groups.csv"
    path.write_bytes('\ufeffclass,group\r\ndog,animal\r\n"oak, old",plant\r\n'.encode())
    assert read_groups(path, ("dog", "oak, old")) == ("animal", "plant")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("class,group\ndog,animal\n", "1 of 2 classes have no line, such as 'oak'"),
        ("class,group\ncow,animal\n", r"groups\.csv:2: 'cow' is no class"),
        ("class,group\ndog,a\ndog,b\n", r"groups\.csv:3: 'dog' has a line already"),
        ("class,group\ndog,\n", r"groups\.csv:2: 'dog' has no group"),
        ("name,group\ndog,a\n", "expected the columns class and group"),
    ],
)
def test_groups_that_are_not_of_the_classes_are_refused(
    tmp_path: Path, text: str, told: str
) -> None:
    path = tmp_path / "groups.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=told):
        read_groups(path, ("dog", "oak"))
