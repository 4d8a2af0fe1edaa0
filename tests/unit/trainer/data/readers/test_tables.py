"""Lists with paths and labels: as spreadsheets, databases and scripts write them."""

import json
from pathlib import Path

import pytest

from trainer.data.load import load_task
from trainer.data.readers.tables import is_table, read_table
from trainer.data.task_data import TaskData
from trainer.errors import DataError

ROWS = [
    ("images/a, 1.jpg", "cat", "train"),
    ('images/b "2".jpg', "dog", "train"),
    ("images/c.jpg", "cat", "val"),
    ("images/d.jpg", "dog", "test"),
]


def make_images(folder: Path, names: list[str]) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"never opened")


def quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def written(ending: str, rows: list[tuple[str, str, str]]) -> str:
    if ending == ".jsonl":
        keys = ("path", "label", "split")
        return "\n".join(json.dumps(dict(zip(keys, row, strict=True))) for row in rows)
    delimiter = "\t" if ending == ".tsv" else ","
    lines = [delimiter.join(map(quoted, row)) for row in [("Path", "Label", "Split"), *rows]]
    return "\r\n".join(lines) + "\r\n"


def names_of(data: TaskData, root: Path) -> dict[str, list[tuple[str, str]]]:
    return {
        split: [
            (sample.path.relative_to(root).as_posix(), data.task.class_names[sample.label])
            for sample in samples
        ]
        for split, samples in data.splits().items()
    }


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".jsonl"])
@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["", "marked"])
def test_quotes_line_breaks_and_the_mark_of_a_spreadsheet_are_read(
    tmp_path: Path, ending: str, mark: str
) -> None:
    make_images(tmp_path, [path for path, *_ in ROWS])
    table = tmp_path / f"pets{ending}"
    table.write_bytes((mark + written(ending, ROWS)).encode())
    expected = {
        split: [(path, label) for path, label, own in ROWS if own == split]
        for split in ("train", "val", "test")
    }
    for place in (tmp_path, table):
        data = load_task("pets", place)
        assert names_of(data, tmp_path) == expected
        assert data.lists == dict.fromkeys(("train", "val", "test"), table.name)


def test_absolute_paths_and_those_relative_to_the_list_go_together(tmp_path: Path) -> None:
    make_images(tmp_path, ["elsewhere/a.jpg", "list/b.jpg"])
    table = tmp_path / "list" / "l.csv"
    table.write_text(
        "split;label;path\n"
        f"train;cat;{tmp_path}/elsewhere/a.jpg\n\ntrain;dog;b.jpg\ntrain;cat;c.jpg\ntest;cat;d.jpg\n"
    )
    data = read_table(table, "pets", 0)
    paths = {sample.path for sample in (*data.train, *data.val, *data.test)}
    assert {tmp_path / "elsewhere/a.jpg", tmp_path / "list/b.jpg"} < paths


def test_absolute_paths_go_with_a_list_whose_own_path_is_relative(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_images(tmp_path, [path for path, *_ in ROWS])
    rows = [(f"{tmp_path}/{ROWS[0][0]}", *ROWS[0][1:]), *ROWS[1:]]
    (tmp_path / "pets.csv").write_text(written(".csv", rows))
    monkeypatch.chdir(tmp_path)
    data = load_task("pets", Path("pets.csv"))
    assert names_of(data, tmp_path)["train"] == [(path, label) for path, label, _ in ROWS[:2]]
    (tmp_path / "pets.csv").write_text(written(".csv", ROWS))
    assert data.list_digests() == load_task("pets", tmp_path).list_digests()


def test_images_that_are_not_there_are_named_all_at_once(tmp_path: Path) -> None:
    make_images(tmp_path, [path for path, *_ in ROWS[2:]])
    (tmp_path / "pets.csv").write_text(written(".csv", ROWS))
    with pytest.raises(DataError, match=r"a, 1\.jpg is missing.* 2 of 4 .*\(also .*b \"2\"\.jpg\)"):
        load_task("pets", tmp_path)


def lines(*rows: str) -> str:
    return "\n".join(["path,label,split", *rows])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (lines("a.jpg,,train"), r"pets\.csv:2: expected a path and a label, found 'a\.jpg' and ''"),
        (lines("a.jpg,cat,train", "b.jpg"), r"pets\.csv:3: expected a path and a label"),
        (lines("a.jpg,cat,nowhere"), r"pets\.csv:2: the split is 'nowhere', expected train"),
        (lines("a.jpg,cat,train", "b.jpg,dog,"), "1 images name no split, and others do"),
        (
            lines("a.jpg,cat,train", "b.jpg,dog,train"),
            "found the splits train, expected train, and",
        ),
        (lines("a.jpg,cat,train", "b.jpg,Cat,test"), "differ only in upper and lower case"),
        (lines('"a.jpg,cat,train'), "cannot be read"),
    ],
    ids=["no_label", "short", "no_split", "half", "train_alone", "alike", "open_quote"],
)
def test_what_is_wrong_with_a_list_is_told_with_its_line(
    tmp_path: Path, text: str, told: str
) -> None:
    (tmp_path / "pets.csv").write_text(text)
    with pytest.raises(DataError, match=told):
        read_table(tmp_path / "pets.csv", "pets", 0)


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("n.csv", b"path,label\ncaf\xe9.jpg,cat\n", "is not UTF-8 text .*save it as UTF-8"),
        ("n.csv", b"path,label\n", "no class is listed"),
        ("n.jsonl", b'{"path": "a", "label": "b"}\n[1]\n', "line 2 is no object"),
        ("n.jsonl", b'{"path": "a", "label": "b"}\n{"pa\n', "cannot be read"),
    ],
    ids=["latin", "no_line", "no_object", "cut"],
)
def test_a_list_that_is_damaged_is_refused(
    tmp_path: Path, name: str, content: bytes, told: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=told):
        load_task("pets", tmp_path)


def test_two_lists_in_one_folder_are_not_guessed_between(tmp_path: Path) -> None:
    for name in ("a.csv", "b.jsonl"):
        (tmp_path / name).write_text(written(Path(name).suffix, ROWS))
    with pytest.raises(DataError, match=r"a\.csv and b\.jsonl both have columns path and label"):
        read_table(tmp_path, "pets", 0)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("notes.csv", b"name,score\nx,1\n"),
        ("notes.jsonl", b"[1, 2]\n"),
        ("notes.csv", "path,label\n".encode("utf-16")),
        ("notes.txt", b"path,label\na.jpg,cat\n"),
        ("notes.csv", b""),
    ],
    ids=["other_columns", "no_objects", "utf16", "other_ending", "empty"],
)
def test_other_files_are_no_lists(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    assert not is_table(tmp_path)


def test_numbers_are_ordered_as_numbers_and_images_without_splits_are_divided(
    tmp_path: Path,
) -> None:
    rows = [f"{label}-{i}.jpg,{label}" for label in (10, 9, 0) for i in range(20)]
    (tmp_path / "n.csv").write_text("\n".join(["path,label", *rows]))
    data = read_table(tmp_path, "n", 0)
    assert data.task.class_names == ("0", "9", "10")
    assert [len(samples) for samples in data.splits().values()] == [48, 6, 6]
    assert read_table(tmp_path, "n", 0) == data != read_table(tmp_path, "n", 1)


def test_without_test_images_a_tenth_of_train_is_drawn(tmp_path: Path) -> None:
    rows = [f"t{i}.jpg,{'ab'[i % 2]},train" for i in range(20)] + ["v.jpg,a,val", "w.jpg,b,dev"]
    (tmp_path / "n.csv").write_text(lines(*rows))
    data = read_table(tmp_path, "n", 0)
    assert [sample.path.name for sample in data.val] == ["v.jpg", "w.jpg"]
    assert (len(data.train), len(data.test), data.held_out) == (18, 2, ("test",))
