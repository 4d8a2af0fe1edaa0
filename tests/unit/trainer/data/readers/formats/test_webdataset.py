"""Shards are read in place: their images, labels and splits, and what may be wrong with them."""

import gzip
import json
import shutil
import tarfile
from pathlib import Path

import pytest

from tests.unit.trainer.data.readers.formats.packed import make_shard, pairs, picture
from trainer.data.bad_files import bad_files, refuse_bad
from trainer.data.load import load_task
from trainer.errors import DataError


def make_shards(folder: Path) -> Path:
    make_shard(folder / "pets-train-000000.tar", pairs("ab" * 3))
    make_shard(folder / "pets-train-000001.tar", pairs("ab" * 3, start=6))
    make_shard(folder / "pets-val-000000.tar", pairs("ab", start=12))
    make_shard(folder / "pets-test-000000.tar", pairs("ba", start=14))
    return folder


def test_images_of_shards_are_read_in_place_under_the_splits_of_their_names(tmp_path: Path) -> None:
    data = load_task("pets", make_shards(tmp_path))
    assert data.task.class_names == ("a", "b")
    assert [len(samples) for samples in data.splits().values()] == [12, 2, 2]
    assert [sample.label for sample in data.test] == [1, 0]
    assert [image.read_bytes() for image in data.images()["train"]] == [*map(picture, range(12))]
    assert str(data.val[1].path) == f"{tmp_path}/pets-val-000000.tar!0013.png"
    assert bad_files(data) == {}


def test_lists_of_shards_have_the_same_digests_at_another_place(tmp_path: Path) -> None:
    data = load_task("pets", make_shards(tmp_path / "a"))
    moved = load_task("pets", Path(shutil.move(tmp_path / "a", tmp_path / "b")))
    assert moved.list_digests() == data.list_digests()
    assert len({*data.list_digests().values()}) == 3
    assert moved.fingerprints() == moved.fingerprints(moved.contents())


@pytest.mark.parametrize(
    "pattern", ["pets-{train,val,test}-{000000..000001}.tar", "pets-*-00000?.tar", "pets-*.tar"]
)
def test_a_pattern_names_shards(tmp_path: Path, pattern: str) -> None:
    make_shards(tmp_path)
    for split in ("val", "test"):
        make_shard(tmp_path / f"pets-{split}-000001.tar", pairs("ab", start=len(split) * 10))
    data = load_task("pets", tmp_path / pattern)
    assert [len(samples) for samples in data.splits().values()] == [12, 4, 4]


def test_shards_of_a_single_split_are_divided_by_the_seed(tmp_path: Path) -> None:
    make_shard(tmp_path / "train-0.tar", pairs("ab" * 10))
    data = load_task("pets", tmp_path)
    assert [len(samples) for samples in data.splits().values()] == [16, 2, 2]
    assert data.held_out == ("val", "test")


def test_labels_of_json_are_numbers_that_a_list_names(tmp_path: Path) -> None:
    files = {}
    for i in range(20):
        label = json.dumps({"label": i % 2, "caption": "…"})
        files |= {f"./x/{i}.JPG": picture(i), f"./x/{i}.json": label.encode()}
    make_shard(tmp_path / "0.tar", files)
    assert load_task("pets", tmp_path).task.class_names == ("0", "1")
    (tmp_path / "classes.txt").write_text("cat\ndog\n")
    assert load_task("pets", tmp_path).task.class_names == ("cat", "dog")
    (tmp_path / "classes.txt").write_text("cat\n")
    with pytest.raises(DataError, match=r"0\.tar!\./x/1\.JPG has the label '1', expected 0 to 0"):
        load_task("pets", tmp_path)


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"0.png": b"x"}, r"0\.tar!0: has no label among \.png, expected \.cls"),
        ({"0.cls": b"1"}, r"0\.tar!0: has 0 images among \.cls, expected one"),
        ({"0.a.png": b"x", "0.b.png": b"x", "0.cls": b"1"}, r"has 2 images among \.a\.png, \.b"),
        ({"0.png": b"x", "0.cls": b" "}, r"0\.tar!0: has no label, expected one for each image"),
        ({"0.png": b"x", "0.cls": b"\xff"}, r"0\.tar!0\.cls: cannot be read \('utf-8' codec"),
        ({"0.png": b"x", "0.json": b"{"}, r"0\.tar!0\.json: cannot be read"),
        ({"0.png": b"x", "0.json": b'{"label": null}'}, r"0\.tar!0: has no label"),
        (
            {"0.png": b"x", "0.json": b'{"label": [1, 2]}'},
            r"0\.tar!0\.png: has the labels '1\|2', expec",
        ),
    ],
)
def test_what_is_wrong_with_a_sample_is_told_by_shard_and_key(
    tmp_path: Path, files: dict[str, bytes], told: str
) -> None:
    shard = make_shard(tmp_path / "0.tar", files)
    with pytest.raises(DataError, match=told) as caught:
        load_task("pets", shard)
    assert "\n" not in str(caught.value)


def test_a_shard_that_is_cut_anywhere_is_refused(tmp_path: Path) -> None:
    whole = make_shard(tmp_path / "w.tar", pairs("ab")).read_bytes()
    end = whole.rstrip(b"\0")
    for length in (0, 100, 700, 512 * 3, 512 * 5 + 9, len(end), -(-len(end) // 512) * 512):
        cut = tmp_path / "cut.tar"
        cut.write_bytes(whole[:length])
        with pytest.raises(DataError, match=r"cut\.tar is cut"):
            load_task("pets", cut)


def test_a_file_that_is_twice_in_a_shard_is_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "0.tar", "w") as tar:
        for _ in range(2):
            tar.addfile(tarfile.TarInfo("0.png"))
    with pytest.raises(DataError, match=r"0\.tar!0\.png: is in the shard twice"):
        load_task("pets", tmp_path / "0.tar")


def test_a_compressed_shard_and_one_that_is_not_there_are_refused(tmp_path: Path) -> None:
    packed = tmp_path / "0.tar.gz"
    packed.write_bytes(gzip.compress(make_shard(tmp_path / "0.tar", pairs("ab")).read_bytes()))
    with pytest.raises(DataError, match=r"is cut, compressed or no tar .* unpack the compression"):
        load_task("pets", packed)
    with pytest.raises(DataError, match=r"1\.tar is missing; fetch it again"):
        load_task("pets", tmp_path / "{0..1}.tar")
    with pytest.raises(DataError, match=r"x-\*\.tar matches no file"):
        load_task("pets", tmp_path / "x-*.tar")


def test_damaged_images_in_shards_are_named_and_left_out_on_request(tmp_path: Path) -> None:
    files = pairs("ab" * 10) | {"0004.png": b"no image", "0005.png": picture(5)[:40]}
    make_shard(tmp_path / "0.tar", files)
    data = load_task("pets", tmp_path)
    with pytest.raises(DataError, match=r"0\.tar!0004\.png: the 8 bytes .* 2 of 20 images"):
        refuse_bad(data, bad_files(data))
    sound = load_task("pets", tmp_path, skip_unreadable=True)
    assert {str(image).rpartition("!")[2] for image in sound.left_out} == {"0004.png", "0005.png"}
    assert len(sound.labels()) == 18


def test_a_tar_of_images_alone_is_no_shard(tmp_path: Path) -> None:
    make_shard(tmp_path / "images.tar", {"a/0.png": picture(0)})
    (tmp_path / "cut.tar").write_bytes(b"")
    with pytest.raises(DataError, match=r"expected there, or in .* WebDataset shards"):
        load_task("pets", tmp_path)
