"""The report's pieces: axes, intervals, groups of classes, wording, the repeating command."""

import math
import shlex
import tomllib
from itertools import pairwise

import pytest
from PIL import Image

from tests.unit.trainer.report.report_runs import RECIPE
from trainer.report.curves import BOTTOM, LEFT, RIGHT, TOP, Series, draw_curve, round_levels
from trainer.report.heatmap import MAX_CELLS, draw_heatmap, group_counts
from trainer.report.pictures import MAX_SIDE, picture
from trainer.report.repeat import repeat_command
from trainer.report.scores import wilson_interval
from trainer.report.wording import brief, duration, recorded, size


@pytest.mark.parametrize(
    ("low", "high"),
    [(0.0, 1.0), (0.63, 0.65), (0.0, 2e-12), (5.0, 5.0), (0.0, 0.0), (-3.0, 7.0), (1e6, 3e6)],
)
def test_an_axis_encloses_its_values_in_few_even_steps(low: float, high: float):
    levels = round_levels(low, high)
    slack = 1e-6 * (levels[1] - levels[0])
    assert levels[0] <= low + slack
    assert levels[-1] >= high - slack
    assert 2 <= len(levels) <= 7
    assert [b - a for a, b in pairwise(levels)] == pytest.approx(
        [levels[1] - levels[0]] * (len(levels) - 1)
    )


def test_a_line_runs_from_the_first_to_the_last_epoch_inside_the_plot():
    curve = draw_curve(Series("loss", [[2.0, 1.0, 0.0]], brief), kept=3)
    assert curve is not None
    assert curve.lines[0].pieces == [
        [(LEFT, TOP), ((LEFT + RIGHT) / 2, (TOP + BOTTOM) / 2), (RIGHT, BOTTOM)]
    ]
    assert curve.kept == (RIGHT, BOTTOM)
    assert curve.kept_text == "kept: epoch 3, 0"


def test_a_line_breaks_where_a_value_is_missing():
    curve = draw_curve(Series("loss", [[1.0, 2.0, math.nan, 3.0]], brief))
    assert curve is not None
    assert [len(piece) for piece in curve.lines[0].pieces] == [2, 1]


@pytest.mark.parametrize("lines", [[], [[]], [[math.nan]]])
def test_nothing_to_draw_gives_no_chart(lines: list[list[float]]):
    assert draw_curve(Series("loss", lines, brief, line_names=[""] * len(lines))) is None


@pytest.mark.parametrize("kept", [0, 4, None])
def test_an_epoch_outside_the_run_is_not_marked(kept: int | None):
    curve = draw_curve(Series("loss", [[1.0, 2.0, 3.0]], brief), kept)
    assert curve is not None
    assert (curve.kept, curve.kept_text) == (None, "")


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
    heatmap = draw_heatmap({(i, 0): 1 for i in range(num_classes)}, names)
    assert len(heatmap.rows) == len(heatmap.columns) <= MAX_CELLS
    assert heatmap.group_size * (len(heatmap.rows) - 1) < num_classes
    assert num_classes <= heatmap.group_size * len(heatmap.rows)
    assert max(cell.y for cell in heatmap.cells) + heatmap.side == heatmap.bottom < heatmap.height


def test_groups_keep_every_answer():
    counts = {(0, 1): 2, (1, 0): 3, (2, 2): 5, (3, 1): 7}
    assert group_counts(counts, 2) == {(0, 0): 5, (1, 1): 5, (1, 0): 7}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (9.96, "10 s"),
        (75.0, "1 min 15 s"),
        (3600.0, "1 h 0 min"),
        (7384.0, "2 h 3 min"),
    ],
)
def test_durations_are_written_in_two_units(seconds: float, text: str):
    assert duration(seconds) == text


def test_sizes_are_written_in_the_largest_unit():
    assert [size(n) for n in (999, 191_348, 2_000_000)] == ["999 B", "191 kB", "2 MB"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "none"),
        (True, "yes"),
        (12_544, "12,544"),
        (0.1 + 0.2, "0.3"),
        ("a b", "a b"),
        ([1, 2], "[1, 2]"),
        ([[1] * 5, [2] * 5], "10 numbers from 1 to 2, median 1.5"),
    ],
)
def test_values_of_a_document_are_written_for_people(value: object, text: str):
    assert recorded(value) == text


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
