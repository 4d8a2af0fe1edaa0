"""The report's pieces: axes, intervals, groups of classes, wording, the repeating command."""

import shlex
import tomllib

import pytest
from PIL import Image

from tests.unit.trainer.report.report_runs import RECIPE
from trainer.page.words import brief
from trainer.report.curves import Series, draw_curve
from trainer.report.heatmap import MAX_CELLS, confusion_matrix, group_counts, group_size
from trainer.report.pictures import MAX_SIDE, picture
from trainer.report.repeat import repeat_command
from trainer.report.scores import wilson_interval


def test_the_kept_epoch_is_told_below_the_curve():
    curve = draw_curve(Series("loss", [[2.0, 1.0, 0.0]], brief), kept=3)
    assert curve is not None
    assert curve.note == "○ kept: epoch 3, 0"
    assert curve.drawing.body.count('class="ring ours"') == 1


def test_the_axis_of_epochs_begins_at_the_first():
    curve = draw_curve(Series("loss", [[2.0, 1.0, 0.0]], brief))
    assert curve is not None
    assert [text for text in ("0", "1", "2", "3") if f">{text}</text>" in curve.drawing.body] == [
        "0", "1", "2", "3",
    ]  # fmt: skip


@pytest.mark.parametrize("lines", [[], [[]], [[float("nan")]]])
def test_nothing_to_draw_gives_no_chart(lines: list[list[float]]):
    assert draw_curve(Series("loss", lines, brief, line_names=[""] * len(lines))) is None


@pytest.mark.parametrize("kept", [0, 4, None])
def test_an_epoch_outside_the_run_is_not_marked(kept: int | None):
    curve = draw_curve(Series("loss", [[1.0, 2.0, 3.0]], brief), kept)
    assert curve is not None
    assert (curve.note, curve.drawing.body.count("ring")) == ("", 0)


def test_the_interval_is_wilsons():
    assert wilson_interval(50, 100) == pytest.approx((0.4038, 0.5962), abs=1e-4)
    assert wilson_interval(0, 10) == (0.0, pytest.approx(0.2775, abs=1e-4))
    assert wilson_interval(10, 10)[1] == 1.0


@pytest.mark.parametrize(("right", "total"), [(0, 0), (3, 2), (-1, 2)])
def test_an_impossible_share_has_no_interval(right: int, total: int):
    with pytest.raises(ValueError, match="expected"):
        wilson_interval(right, total)


@pytest.mark.parametrize("num_classes", [1, 2, 7, 50, 51, 100, 555, 1000])
def test_a_matrix_has_a_cell_for_every_class_or_for_few_neighbours(num_classes: int):
    names = [f"class {i}" for i in range(num_classes)]
    matrix = confusion_matrix({(i, 0): 1 for i in range(num_classes)}, names)
    each = group_size(num_classes)
    assert len(matrix.rows) == len(matrix.columns) <= MAX_CELLS
    assert each * (len(matrix.rows) - 1) < num_classes <= each * len(matrix.rows)
    assert {cell.row for cell in matrix.cells} == set(range(len(matrix.rows)))


def test_groups_keep_every_answer():
    counts = {(0, 1): 2, (1, 0): 3, (2, 2): 5, (3, 1): 7}
    assert group_counts(counts, 2) == {(0, 0): 5, (1, 1): 5, (1, 0): 7}


def test_the_command_gives_back_every_setting():
    tricky = {"weights": "a b/$x.pth", "backbone": "1e3", "pixels": {"mean": [0.5, 0.5, 0.5]}}
    words = shlex.split(repeat_command(RECIPE | tricky).replace("\\\n", ""))
    assert words[:5] == ["python", "-m", "trainer", "train", "toy"]
    settings = dict(text.split("=", 1) for text in words[6::2])
    assert settings["weights"] == "a b/$x.pth"
    assert tomllib.loads(f"v = {settings['backbone']}") == {"v": "1e3"}
    assert tomllib.loads(f"v = {settings['pixels.mean']}") == {"v": [0.5, 0.5, 0.5]}
    assert settings["optim.lr"] == "0.01"
    assert "task" not in settings


@pytest.mark.parametrize(("side", "kind"), [(32, "png"), (1000, "jpeg")])
def test_a_picture_is_small_and_a_very_small_one_exact(tmp_path, side: int, kind: str):
    path = tmp_path / "a.png"
    Image.effect_noise((side, side), 80).convert("RGB").save(path)
    uri = picture(path)
    assert uri is not None
    assert uri.startswith(f"data:image/{kind};base64,")
    assert len(uri) < 2 * MAX_SIDE**2


@pytest.mark.parametrize("content", [b"", b"no image"])
def test_an_unreadable_picture_is_none(tmp_path, content: bytes):
    path = tmp_path / "a.png"
    path.write_bytes(content)
    assert picture(path) is None
    assert picture(tmp_path / "absent.png") is None
    assert picture(tmp_path / "a\0.png") is None
