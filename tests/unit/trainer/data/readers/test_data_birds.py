from pathlib import Path

import pytest

from tests.unit.trainer.replicas import make_birds, make_cub, make_nabirds
from trainer.data.readers.birds import is_cub, is_nabirds, read_cub, read_nabirds
from trainer.data.task_data import check
from trainer.errors import DataError


def test_cub_is_read_with_its_official_test_images_and_tidy_names(tmp_path: Path) -> None:
    data = read_cub(make_cub(tmp_path), "cub200", 0)
    check(data)
    assert data.task.class_names == ("Black footed Albatross", "Laysan Albatross")
    assert (len(data.train), len(data.val), len(data.test)) == (9, 1, 2)
    assert [(s.path.name, s.label) for s in data.test] == [("5.jpg", 0), ("5.jpg", 1)]
    assert all(s.path.parent.name.startswith(f"00{s.label + 1}") for s in data.train + data.val)


def test_the_seed_decides_which_bird_validates(tmp_path: Path) -> None:
    make_cub(tmp_path)
    picks = [read_cub(tmp_path, "cub200", seed).val for seed in range(8)]
    assert picks[0] == read_cub(tmp_path, "cub200", 0).val
    assert len(set(picks)) > 1


def test_nabirds_ids_with_gaps_become_labels_over_all_lists_at_once(tmp_path: Path) -> None:
    data = read_nabirds(make_nabirds(tmp_path), "nabirds", 0)
    check(data)
    assert data.task.class_names == ("Mallard (Male)", "Oak Titmouse")
    for sample in data.train + data.val + data.test:
        assert sample.label == {"0295": 0, "0817": 1}[sample.path.parent.name]


def test_a_class_that_only_the_test_list_has_shifts_no_other(tmp_path: Path) -> None:
    images = [("b/1.jpg", 7, True), ("b/2.jpg", 7, True), ("a/1.jpg", 3, False)]
    names = {3: "a", 7: "b"}
    data = read_nabirds(make_birds(tmp_path, names, images, hierarchy=""), "nabirds", 0)
    assert {s.label for s in data.train + data.val} == {1}
    assert [s.label for s in data.test] == [0]


def test_the_two_archives_are_told_apart_also_without_the_hierarchy(tmp_path: Path) -> None:
    cub, nabirds = make_cub(tmp_path / "cub"), make_nabirds(tmp_path / "nabirds")
    assert (is_cub(cub), is_nabirds(cub)) == (True, False)
    (nabirds / "hierarchy.txt").unlink()
    assert (is_cub(nabirds), is_nabirds(nabirds)) == (False, True)
    assert not is_cub(tmp_path)


def test_a_cub_class_that_lost_its_images_is_a_gap(tmp_path: Path) -> None:
    images = [(f"{c}/{i}.jpg", c, i < 3) for c in (1, 3) for i in range(4)]
    make_birds(tmp_path, {1: "001.A", 2: "002.B", 3: "003.C"}, images)
    with pytest.raises(DataError, match=r"1 of 3 classes have no image in any list \(B\)"):
        check(read_cub(tmp_path, "cub200", 0))


@pytest.mark.parametrize("name", ["image_class_labels", "train_test_split", "classes"])
def test_a_missing_list_is_named_with_all_that_belong_there(tmp_path: Path, name: str) -> None:
    (make_cub(tmp_path) / f"{name}.txt").unlink()
    with pytest.raises(DataError, match=rf"{name}\.txt is missing; the folder holds images\.txt"):
        read_cub(tmp_path, "cub200", 0)


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("images.txt", "1 a.jpg\n2\n", "images.txt:2: expected a new id, .* found '2'"),
        ("images.txt", "1 a.jpg\n1 b.jpg\n", "images.txt:2: .* found the id 1 a second time"),
        ("image_class_labels.txt", "1 cat\n", "1 has 'cat', expected a whole number"),
        ("image_class_labels.txt", "1 1\n", "no line for image 2 of images.txt, .* 11 are missing"),
        ("train_test_split.txt", "1 1\n", "train_test_split.txt: no line for image 2"),
        ("classes.txt", "1 only\n", "image 7 has class 2, expected one of the 1 of classes.txt"),
    ],
)
def test_a_malformed_list_is_one_clear_line(
    tmp_path: Path, name: str, text: str, complaint: str
) -> None:
    (make_cub(tmp_path) / name).write_text(text)
    with pytest.raises(DataError, match=complaint) as caught:
        read_cub(tmp_path, "cub200", 0)
    assert "\n" not in str(caught.value)


def test_a_list_in_another_encoding_is_named(tmp_path: Path) -> None:
    (make_cub(tmp_path) / "classes.txt").write_bytes("1 Mésange\n2 b\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"classes\.txt is not UTF-8 text"):
        read_cub(tmp_path, "cub200", 0)


def test_a_listed_image_that_is_not_there_is_named_with_its_list(tmp_path: Path) -> None:
    make_cub(tmp_path)
    (tmp_path / "images/002.Laysan_Albatross/5.jpg").unlink()
    with pytest.raises(DataError, match=r"5\.jpg is missing, named by images\.txt; 1 of 12"):
        check(read_cub(tmp_path, "cub200", 0))
