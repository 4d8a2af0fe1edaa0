"""Pictures come out whole, with the same bytes from the same numbers."""

import itertools
import sys
from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
import pytest
import torch
from PIL import Image

from trainer.errors import DataError
from trainer.figures.bars import BarSeries, draw_bars
from trainer.figures.curves import CurvePanel, Line, _spread, draw_curves
from trainer.figures.matrices import MatrixPanel, draw_matrices
from trainer.figures.overlay import OverlayPanel, draw_overlays

LINES = [
    Line("SPT", (0, 1, 2), (0.5, 0.6, 0.6), (0.1, 0.1, 0.0)),
    Line("VPT", (0, 1, 2), (0.0, 0.2, 0.5)),
]


def curves(path: Path) -> Path:
    return draw_curves(path, [CurvePanel("shapes", LINES)] * 3, x="epoch", y="NMI")


def bars(path: Path) -> Path:
    paper = BarSeries("paper", (50.0, None), is_reference=True)
    ours = BarSeries("ours", (51.5, 70.25), (0.5, None))
    return draw_bars(path, ("linear", "SPT-Deep"), (paper, ours), x="test accuracy, %")


def matrices(path: Path) -> Path:
    values = torch.linspace(0, 1, 36).reshape(6, 6)
    return draw_matrices(
        path, [MatrixPanel("SPT", values)] * 2, x="patches", y="prompts", value="CKA"
    )


def overlays(path: Path) -> Path:
    image = torch.arange(16 * 16 * 3).reshape(16, 16, 3).to(torch.uint8)
    weights = torch.linspace(0, 0.1, 4).reshape(2, 2)
    return draw_overlays(path, [OverlayPanel("image", image), OverlayPanel("SPT", image, weights)])


FIGURES = {"curves": curves, "bars": bars, "matrices": matrices, "overlays": overlays}


@pytest.fixture(params=FIGURES)
def draw(request: pytest.FixtureRequest) -> Callable[[Path], Path]:
    return FIGURES[request.param]


@pytest.mark.parametrize("kind", ["svg", "png"])
def test_the_same_numbers_give_the_same_bytes(
    draw: Callable[[Path], Path], kind: str, tmp_path: Path
):
    first = draw(tmp_path / f"a.{kind}").read_bytes()
    assert draw(tmp_path / "deeper" / f"b.{kind}").read_bytes() == first


def test_settings_of_the_machine_do_not_matter_and_stay_as_they_were(
    draw: Callable[[Path], Path], tmp_path: Path
):
    usual = draw(tmp_path / "a.svg").read_bytes()
    with mpl.rc_context({"font.size": 20, "axes.facecolor": "red"}):
        assert draw(tmp_path / "b.svg").read_bytes() == usual
        assert mpl.rcParams["font.size"] == 20


def test_a_file_carries_no_date_and_no_version(draw: Callable[[Path], Path], tmp_path: Path):
    text = draw(tmp_path / "a.svg").read_text()
    assert "<dc:date>" not in text
    assert mpl.__version__ not in text
    with Image.open(draw(tmp_path / "a.png")) as image:
        assert "Software" not in image.info


def test_nothing_is_cut_off_at_the_edges(draw: Callable[[Path], Path], tmp_path: Path):
    with Image.open(draw(tmp_path / "a.png")) as image:
        grey = torch.tensor(list(image.convert("L").tobytes())).reshape(image.height, image.width)
    for edge in (grey[:3], grey[-3:], grey[:, :3], grey[:, -3:]):
        assert (edge == 255).all()


def test_another_ending_is_refused(draw: Callable[[Path], Path], tmp_path: Path):
    with pytest.raises(DataError, match=r"end in \.svg or \.png"):
        draw(tmp_path / "a.pdf")
    assert not list(tmp_path.iterdir())


def test_drawing_opens_no_window_and_keeps_no_figure(tmp_path: Path):
    curves(tmp_path / "a.png")
    assert "matplotlib.pyplot" not in sys.modules


def test_no_panels_and_no_groups_are_clear_errors(tmp_path: Path):
    with pytest.raises(DataError, match="at least one panel, found none"):
        draw_curves(tmp_path / "a.svg", [], x="x", y="y")
    with pytest.raises(DataError, match="at least one group and one series"):
        draw_bars(tmp_path / "a.svg", [], [BarSeries("ours", ())], x="x")


def test_a_line_with_missing_values_is_refused():
    with pytest.raises(DataError, match=r"'SPT'.*found 2 places, 1 means, 0 deviations"):
        Line("SPT", (0, 1), (0.5,))


def test_bars_with_missing_values_are_refused(tmp_path: Path):
    with pytest.raises(DataError, match="'ours': expected 2 values, one per group, found 1"):
        draw_bars(tmp_path / "a.svg", ("a", "b"), [BarSeries("ours", (1.0,))], x="x")


def test_names_at_line_ends_keep_their_order_and_do_not_overlap():
    placed = _spread((0.50, 0.49, 0.99, 1.0, 0.0))
    order = sorted(range(5), key=lambda i: placed[i])
    assert order == [4, 1, 0, 2, 3]
    gaps = [placed[b] - placed[a] for a, b in itertools.pairwise(order)]
    assert min(gaps) > 0.07
    assert max(placed) <= 1


def test_weights_of_zero_can_be_drawn(tmp_path: Path):
    image = torch.zeros(8, 8, 3, dtype=torch.uint8)
    assert draw_overlays(tmp_path / "a.png", [OverlayPanel("", image, torch.zeros(2, 2))]).exists()
