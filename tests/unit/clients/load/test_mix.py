"""A load's images and tasks are drawn as asked, the same ones each time."""

import itertools
from collections import Counter

import pytest

from clients.load import mix
from clients.load.closed import Ask
from clients.load.mix import for_seconds, mixed, read_images, tasks_by_share


def test_images_are_files_and_what_folders_hold(tmp_path):
    (tmp_path / "deep").mkdir()
    for name in ("b.png", "deep/c.JPG", "a.webp", "notes.txt"):
        (tmp_path / name).write_text(name)
    odd = tmp_path / "notes.txt"
    assert read_images([odd, tmp_path]) == [b"notes.txt", b"a.webp", b"b.png", b"deep/c.JPG"]


def test_no_more_images_are_read_than_are_useful(tmp_path, monkeypatch):
    monkeypatch.setattr(mix, "MOST_IMAGES", 2)
    for name in "abc":
        (tmp_path / f"{name}.png").write_text(name)
    assert read_images([tmp_path]) == [b"a", b"b"]


def test_an_image_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_images([tmp_path / "none.png"])


def test_tasks_come_by_their_shares_and_the_same_for_a_seed():
    shares = {"digits": 3.0, "shapes": 1.0}
    drawn, again, other = (
        list(itertools.islice(tasks_by_share(shares, seed), 4000)) for seed in (0, 0, 1)
    )
    assert drawn == again != other
    assert 2800 < Counter(drawn)["digits"] < 3200


def test_images_are_asked_in_turn():
    asks = list(mixed([b"1", b"2"], ["x", "y", "z"]))
    assert asks == [Ask(b"1", "x"), Ask(b"2", "y"), Ask(b"1", "z")]


def test_a_load_by_time_ends():
    asks = for_seconds(mixed([b"1"], itertools.repeat("x")), 0.02)
    assert sum(1 for _ in asks) > 1
