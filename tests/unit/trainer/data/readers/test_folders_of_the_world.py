"""Image folders as people have them: names of splits, of classes and of files."""

import os
import unicodedata
from pathlib import Path

import pytest

from tests.unit.trainer.replicas import make_folders, make_imagenet, make_vtab, save_image
from trainer.data.bad_files import bad_files, refuse_bad
from trainer.data.load import load_task
from trainer.data.split_names import split_of
from trainer.errors import DataError

CAFE = unicodedata.normalize("NFC", "café")
CAFE_APART = unicodedata.normalize("NFD", "café")
VALIDACION = unicodedata.normalize("NFC", "validación")
VALIDACION_APART = unicodedata.normalize("NFD", "validación")


def make_splits(root: Path, *splits: str) -> Path:
    return make_folders(root, {f"{split}/{c}": 5 for split in splits for c in ("cat", "dog")})


@pytest.mark.parametrize(
    ("train", "val", "test"),
    [
        ("Train", "Val", "Test"),
        ("training", "validation", "testing"),
        ("TRAIN", "valid", "TEST"),
        ("train", "dev", "test"),
        ("train", "dev", "eval"),
        ("train", "eval", "test"),
        ("training_set", "val set", "test-set"),
        ("trainset", "valset", "testset"),
        ("train2017", "val2017", "test2017"),
        ("train_images", "validation_images", "Evaluation"),
        ("seg_train", "seg_val", "seg_test"),
        ("pets-train", "pets-val", "pets-test"),
        ("trainval", "dev", "holdout"),
        ("entrenamiento", VALIDACION, "prueba"),
        ("Entrenamiento", VALIDACION_APART, "Pruebas"),
        ("datos_de_entrenamiento", "datos_de_validacion", "datos_de_prueba"),
        ("entraînement", "validation", "essai"),
        ("apprentissage", "évaluation", "test"),
        ("Trainingsdaten", "Validierungsdaten", "Testdaten"),
        ("treino", "validação", "teste"),
        ("addestramento", "convalida", "prova"),
        ("обучение", "валидация", "тест"),
        ("训练集", "验证集", "测试集"),
        ("訓練データ", "検証データ", "テストデータ"),
        ("학습", "검증", unicodedata.normalize("NFD", "테스트")),
    ],
)
def test_splits_under_other_names_are_the_same_splits(
    tmp_path: Path, train: str, val: str, test: str
) -> None:
    data = load_task("pets", make_splits(tmp_path, train, val, test))
    assert data.task.class_names == ("cat", "dog")
    for samples, name in ((data.train, train), (data.val, val), (data.test, test)):
        assert len(samples) == 10
        assert {sample.path.parent.parent.name for sample in samples} == {name}


@pytest.mark.parametrize("test", ["eval", "Testing", "test_data"])
def test_without_a_validation_folder_a_tenth_is_held_out(tmp_path: Path, test: str) -> None:
    data = load_task("pets", make_splits(tmp_path, "Training", test))
    assert (len(data.train), len(data.val), len(data.test)) == (9, 1, 10)


@pytest.mark.parametrize(
    "name", ["setter", "dev kit", "latest", "trainer", "contest", "values", "images", "data", ""]
)
def test_what_only_resembles_a_split_is_none(name: str) -> None:
    assert split_of(name) is None


@pytest.mark.parametrize("pair", [("val", "valid"), ("test", "Testing"), ("train", "train2")])
def test_two_folders_of_one_split_are_refused(tmp_path: Path, pair: tuple[str, str]) -> None:
    make_splits(tmp_path, "train", "test", *pair)
    with pytest.raises(DataError, match="are both names of the"):
        load_task("pets", tmp_path)


def test_a_folder_of_something_else_with_the_name_of_a_split_is_not_one(tmp_path: Path) -> None:
    make_splits(tmp_path, "train", "test")
    (tmp_path / "dev" / "notebooks").mkdir(parents=True)
    (tmp_path / "dev" / "notebooks" / "look.py").write_text("pass")
    assert load_task("pets", tmp_path).task.class_names == ("cat", "dog")


@pytest.mark.parametrize(
    "folders",
    [
        ("pets/train/cat", "pets/train/dog", "pets/test/cat", "pets/test/dog"),
        ("a/b/train/cat", "a/b/train/dog", "a/b/test/cat", "a/b/test/dog"),
        ("train/train/cat", "train/train/dog", "test/test/cat", "test/test/dog"),
        ("train/train/cat", "train/train/dog", "train/test/cat", "train/test/dog"),
        ("d/Train/Train/cat", "d/Train/Train/dog", "d/Test/Test/cat", "d/Test/Test/dog"),
        ("train/images/cat", "train/images/dog", "test/cat", "test/dog"),
        ("wrap/cat", "wrap/dog"),
        ("a/b/cat", "a/b/dog"),
    ],
    ids=lambda folders: folders[0],
)
def test_folders_that_only_wrap_others_are_opened(tmp_path: Path, folders: tuple[str, ...]) -> None:
    make_folders(tmp_path, dict.fromkeys(folders, 9))
    save_image(tmp_path / "__MACOSX" / "pets" / "cat" / "0.jpg")
    (tmp_path / "read me.txt").write_text("of the archive")
    data = load_task("toy", tmp_path)
    assert data.task.class_names == ("cat", "dog")
    assert len(data.labels()) == 9 * len(folders)
    for samples, split in ((data.train, "train"), (data.test, "test")):
        assert len(folders) == 2 or {split in str(s.path).lower() for s in samples} == {True}


def test_folders_that_lead_to_themselves_are_no_task(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b").symlink_to(tmp_path, target_is_directory=True)
    with pytest.raises(DataError, match="holds a; expected there"):
        load_task("toy", tmp_path)


FOUR = ("train/cat", "train/dog", "test/cat", "test/dog")


@pytest.mark.parametrize(
    ("folders", "remedy"),
    [
        (("Training", "Testing"), "Testing/, Training/ hold images that are in no class's folder"),
        (("train/train", "test/test"), "make one folder for each class"),
        (("bus", "car", "train"), "train/ may be a split or a class next to bus/, car/: rename"),
        (("test", "cat"), "test/ may be a split or a class next to cat/: rename"),
        (("cat/train", "cat/test", "dog/train"), "cat/, dog/ hold splits as if they were classes"),
        (
            tuple(f"{v}/{f}" for v in ("v1", "v2") for f in FOUR),
            r"pass \S+/v1 as DATA=, or another",
        ),
        (("pets/cat", "pets/dog", "docs/more/figures"), r"pass \S+/pets as DATA="),
        (("study/cat", "study/dog", "test/cat", "test/dog"), r"pass \S+/study as DATA="),
        ((".",), "its images are in no class's folder"),
        (("train/cat", "train/dog", "unseen/cat"), r"add test/ \(or call unseen so\)"),
    ],
    ids=lambda given: given[0] if isinstance(given, tuple) else "",
)
def test_images_at_a_wrong_level_are_told_with_the_remedy(
    tmp_path: Path, folders: tuple[str, ...], remedy: str
) -> None:
    make_folders(tmp_path, dict.fromkeys(folders, 9))
    with pytest.raises(DataError, match=remedy):
        load_task("toy", tmp_path)


def test_a_class_called_as_a_split_is_one_inside_a_split(tmp_path: Path) -> None:
    make_folders(tmp_path, {f"{s}/{c}": 5 for s in ("train", "test") for c in ("train", "bus")})
    assert load_task("toy", tmp_path).task.class_names == ("bus", "train")


@pytest.mark.parametrize("tree", [{"train/dog": 9, "test/dog": 3}, {"dog": 9}])
def test_one_class_is_no_classification(tmp_path: Path, tree: dict[str, int]) -> None:
    make_folders(tmp_path, tree)
    with pytest.raises(DataError, match=r"the only class is 'dog'.*one level too deep") as caught:
        load_task("pets", tmp_path)
    assert "\n" not in str(caught.value)


def test_one_class_of_a_list_is_no_classification(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the only class is 'class 0'"):
        load_task("pets", make_vtab(tmp_path, num_classes=1))


@pytest.mark.parametrize(
    "name", ["a\x1b[31m", "a\tb", "a\nb", "a\x7f", "a\u202eb", "a\u200b", "\r"]
)
@pytest.mark.parametrize("places", [("",), ("train/", "test/")], ids=["classes", "splits"])
def test_names_with_hidden_characters_are_refused_and_spelled_out(
    tmp_path: Path, name: str, places: tuple[str, ...]
) -> None:
    make_folders(tmp_path, {f"{place}{c}": 9 for place in places for c in (name, "dog")})
    with pytest.raises(DataError, match="cannot be seen") as caught:
        load_task("pets", tmp_path)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("name", ["a\x1b[31m", "a\tb", "a\x7f", "a\u202eb", "a\u200bc"])
def test_names_of_a_list_with_hidden_characters_are_refused(tmp_path: Path, name: str) -> None:
    make_vtab(tmp_path, classes=f"dog\n{name}\ncat\n")
    with pytest.raises(DataError, match="cannot be seen") as caught:
        load_task("pets", tmp_path)
    assert str(caught.value).isprintable()


def test_a_name_that_is_no_utf8_is_refused(tmp_path: Path) -> None:
    make_folders(tmp_path, {os.fsdecode(b"caf\xe9"): 9, "dog": 9})
    with pytest.raises(DataError, match=r"caf\\udce9"):
        load_task("pets", tmp_path)


def test_an_image_whose_name_is_no_utf8_has_digests(tmp_path: Path) -> None:
    make_folders(tmp_path, {"cat": 9, "dog": 9})
    (tmp_path / "cat/000.jpg").rename(tmp_path / "cat" / os.fsdecode(b"\xe9.jpg"))
    data = load_task("pets", tmp_path)
    assert len(data.fingerprints()) == len(data.list_digests()) == 3


def test_joiners_and_letters_of_any_script_are_names(tmp_path: Path) -> None:
    names = {"क्\u200dष": 9, "猫\u3000犬": 9, "crème brûlée": 9}
    assert len(load_task("pets", make_folders(tmp_path, names)).task.class_names) == 3


def test_one_class_in_two_unicode_forms_over_the_splits_is_one_class(tmp_path: Path) -> None:
    make_folders(tmp_path, {f"train/{CAFE}": 9, f"test/{CAFE_APART}": 3})
    make_folders(tmp_path, {"train/bar": 9, "test/bar": 3})
    data = load_task("pets", tmp_path)
    assert data.task.class_names == ("bar", CAFE)
    assert [s.label for s in data.test] == [0] * 3 + [1] * 3


@pytest.mark.parametrize("split", ["", "train/"])
def test_two_folders_of_one_name_in_two_unicode_forms_are_refused(
    tmp_path: Path, split: str
) -> None:
    make_folders(tmp_path, {f"{split}{n}": 9 for n in (CAFE, CAFE_APART, "bar")})
    make_folders(tmp_path, {f"test/{CAFE}": 3, "test/bar": 3} if split else {})
    with pytest.raises(DataError, match=r"two folders are called 'café', in two Unicode forms"):
        load_task("pets", tmp_path)


@pytest.mark.parametrize("pair", [("Dog", "dog"), ("STRASSE", "straße"), ("big dog", "big  dog")])
@pytest.mark.parametrize("splits", [("", ""), ("train/", "train/"), ("train/", "test/")])
def test_names_that_differ_only_in_case_or_spaces_are_refused(
    tmp_path: Path, pair: tuple[str, str], splits: tuple[str, str]
) -> None:
    make_folders(tmp_path, {f"{split}{name}": 9 for split, name in zip(splits, pair, strict=True)})
    make_folders(
        tmp_path, {f"{split}cat": 9 for split in ({"train/", "test/"} if splits[0] else {""})}
    )
    with pytest.raises(DataError, match="differ only in upper and lower case or in spaces"):
        load_task("pets", tmp_path)


def test_letters_of_both_cases_are_classes_of_handwriting(tmp_path: Path) -> None:
    names = load_task("letter", make_folders(tmp_path, {"A": 9, "a": 9})).task.class_names
    assert names == ("A", "a")


@pytest.mark.parametrize("ending", [".jfif", ".jpe", ".JPG", ".Jpeg", ".PNG", ".WEBP", ".JFIF"])
def test_every_ending_of_a_format_that_we_take_is_taken(tmp_path: Path, ending: str) -> None:
    make_folders(tmp_path, {"cat": 9, "dog": 9})
    (tmp_path / "cat/000.jpg").rename(tmp_path / f"cat/000{ending}")
    data = load_task("pets", tmp_path)
    assert len(data.labels()) == 18
    assert not bad_files(data)


STRANGE = ["IMG.HEIC", "x.avif", "scan.TIF", "a.bmp", "b.gif", "c", "d.mp4", "e.jpg~", "f.jpg.part"]


@pytest.mark.parametrize("layout", ["splits", "classes", "imagenet"])
@pytest.mark.parametrize("name", STRANGE)
def test_a_file_of_any_other_ending_is_named_though_its_bytes_be_an_image(
    tmp_path: Path, name: str, layout: str
) -> None:
    if layout == "splits":
        folder = make_splits(tmp_path, "train", "test") / "test" / "cat"
    elif layout == "classes":
        folder = make_folders(tmp_path, {"cat": 9, "dog": 9}) / "cat"
    else:
        folder = make_imagenet(tmp_path) / "val" / "n01440764"
    image = save_image(tmp_path / "aside.jpg")
    image.rename(folder / name)
    data = load_task("pets", tmp_path)
    assert list(bad_files(data)) == [folder / name]
    with pytest.raises(DataError, match=f"{name}: its name .*expected JPEG, PNG or WebP"):
        refuse_bad(data, bad_files(data))


@pytest.mark.parametrize("layout", ["splits", "classes"])
def test_a_link_that_leads_nowhere_and_a_pipe_are_named_with_all_other_bad_files(
    tmp_path: Path, layout: str
) -> None:
    if layout == "splits":
        folder = make_splits(tmp_path, "train", "test") / "test" / "cat"
    else:
        folder = make_folders(tmp_path, {"cat": 9, "dog": 9}) / "cat"
    (folder / "a.jpg").symlink_to("nowhere.jpg")
    (folder / "b.jpg").symlink_to("b.jpg")
    os.mkfifo(folder / "c.jpg")
    (folder / "d.jpg").symlink_to("000.jpg")
    (folder / "e.jpg").write_bytes(b"")
    (tmp_path / "loop").symlink_to("loop")
    data = load_task("pets", tmp_path)
    assert sorted(path.name for path in bad_files(data)) == ["a.jpg", "b.jpg", "c.jpg", "e.jpg"]
    whole = load_task("pets", tmp_path, skip_unreadable=True)
    assert len(whole.left_out) == 4
    assert len(whole.labels()) == len(data.labels()) - 1


CLUTTER = [".DS_Store", "Thumbs.db", "desktop.ini", "notes.txt", "labels.csv", "._000.jpg"]


@pytest.mark.parametrize("name", [*CLUTTER, "a.xml", "meta.json", "README", "@eaDir/x.jpg"])
def test_known_clutter_is_passed_over(tmp_path: Path, name: str) -> None:
    make_folders(tmp_path, {"cat": 9, "dog": 9})
    (tmp_path / "cat" / name).parent.mkdir(exist_ok=True)
    (tmp_path / "cat" / name).write_text("clutter")
    (tmp_path / "__MACOSX").mkdir()
    save_image(tmp_path / "__MACOSX" / "0.jpg")
    data = load_task("pets", tmp_path)
    assert data.task.class_names == ("cat", "dog")
    assert not bad_files(data)


def test_images_at_the_wrong_level_are_named(tmp_path: Path) -> None:
    make_splits(tmp_path, "train", "test")
    lost = save_image(tmp_path / "train" / "lost.jpg")
    inner = save_image(tmp_path / "test" / "cat" / "more" / "0.jpg").parent
    (tmp_path / "train" / "dog" / "empty").mkdir()
    assert set(bad_files(load_task("pets", tmp_path))) == {lost, inner}


def test_a_class_of_heic_alone_is_told_with_its_files(tmp_path: Path) -> None:
    make_folders(tmp_path, {"cat": 5, "dog": 5})
    for image in (tmp_path / "dog").iterdir():
        image.rename(image.with_suffix(".heic"))
    with pytest.raises(DataError, match=r"no image in any list \(dog\).*000\.heic: its name ends"):
        load_task("pets", tmp_path)
