import hashlib
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from PIL import Image

from trainer.data.bad_files import bad_files
from trainer.data.builtin import materialise as module
from trainer.data.builtin.catalogue import BUILTIN
from trainer.data.builtin.letters import FONTS
from trainer.data.builtin.materialise import materialise
from trainer.data.builtin.outlines import FIGURES, draw_mask
from trainer.data.builtin.rendering import Sizes
from trainer.data.load import load_task
from trainer.data.readers.vtab import read_vtab
from trainer.data.task_data import check
from trainer.errors import DataError

SMALL = Sizes(train=26, val=8, test=10)


def _files(folder: Path) -> dict[str, str]:
    return {
        str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }


@pytest.mark.parametrize("name", BUILTIN)
def test_a_builtin_task_is_sound_and_of_the_sizes_asked_for(name: str, tmp_path: Path) -> None:
    data = read_vtab(materialise(name, tmp_path, SMALL), name)
    check(data)
    assert not bad_files(data)
    assert (len(data.train), len(data.val), len(data.test)) == (26, 8, 10)
    assert data.task.class_names == BUILTIN[name].class_names
    assert max(s.path.stat().st_size for s in data.train) < 16_000


@pytest.mark.parametrize("name", BUILTIN)
def test_drawing_twice_gives_the_same_bytes(name: str, tmp_path: Path) -> None:
    first, second = (materialise(name, tmp_path / place, SMALL) for place in "ab")
    assert _files(first) == _files(second)


@pytest.mark.parametrize("name", BUILTIN)
def test_no_image_appears_twice(name: str, tmp_path: Path) -> None:
    files = _files(materialise(name, tmp_path, SMALL) / "images")
    assert len(set(files.values())) == 26 + 8 + 10


def test_digits_load_by_name_in_full(tmp_path: Path) -> None:
    data = load_task("digits", None, builtin_root=tmp_path)
    assert (len(data.train), len(data.val), len(data.test)) == (1000, 200, 597)
    assert {s.label for s in data.val} == set(range(10))
    assert load_task("digits", None, seed=1, builtin_root=tmp_path) == data


def test_an_existing_task_is_not_drawn_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = materialise("shapes", tmp_path, SMALL)
    monkeypatch.setattr(module, "_write", None)
    assert materialise("shapes", tmp_path, SMALL) == folder


def test_an_outdated_task_is_drawn_again(tmp_path: Path) -> None:
    materialise("shapes", tmp_path, SMALL)
    folder = materialise("shapes", tmp_path, Sizes(8, 8, 8))
    assert len(list((folder / "images").rglob("*.png"))) == 24
    assert [p.name for p in tmp_path.iterdir()] == ["shapes"]


def test_a_run_that_dies_while_drawing_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Image.Image, "save", die)
    with pytest.raises(KeyboardInterrupt):
        materialise("counting", tmp_path, SMALL)
    assert list(tmp_path.iterdir()) == []


def test_when_another_process_was_faster_its_images_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = module._write

    def write_after_the_other(folder: Path, task: object, sizes: Sizes) -> None:
        monkeypatch.setattr(module, "_write", write)
        materialise("shapes", tmp_path, SMALL)
        write(folder, BUILTIN["shapes"], sizes)

    monkeypatch.setattr(module, "_write", write_after_the_other)
    check(read_vtab(materialise("shapes", tmp_path, SMALL), "shapes"))
    assert [p.name for p in tmp_path.iterdir()] == ["shapes"]


def test_a_folder_that_is_not_ours_is_never_deleted(tmp_path: Path) -> None:
    (tmp_path / "shapes").mkdir()
    (tmp_path / "shapes" / "thesis.txt").write_text("precious")
    with pytest.raises(DataError, match=r"expected a built-in task's images .* move it away"):
        materialise("shapes", tmp_path, SMALL)
    assert (tmp_path / "shapes" / "thesis.txt").exists()


def test_test_letters_use_fonts_that_training_and_validation_never_saw() -> None:
    assert not set(FONTS["test"]) & {*FONTS["train"], *FONTS["val"]}
    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    assert all((folder / f"{font}.ttf").is_file() for fonts in FONTS.values() for font in fonts)


@pytest.mark.parametrize("kind", FIGURES)
def test_a_figure_lies_wholly_in_its_mask_and_has_smooth_edges(kind: str) -> None:
    mask = np.asarray(draw_mask(kind, 20.0, 0.3))
    edges = (mask[0], mask[-1], mask[:, 0], mask[:, -1])
    assert not any(edge.any() for edge in edges)
    assert mask.max() == 255
    assert len(np.unique(mask)) > 4


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(DataError, match=r"runs.*shapes's images are drawn into .*data/shapes once"):
        materialise("shapes", tmp_path / "runs" / "data", SMALL)
