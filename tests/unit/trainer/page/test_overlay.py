"""Attention over images comes out whole, with the same bytes from the same numbers."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from trainer.page.overlay import Overlay, save_overlays, shaded

IMAGE = np.arange(16 * 16 * 3, dtype=np.uint16).reshape(16, 16, 3).astype(np.uint8)
WEIGHTS = np.array([[0.0, 0.1], [0.0, 0.0]], dtype=np.float32)
OVERLAYS = [Overlay("<image>", IMAGE), Overlay("with prompts", IMAGE, WEIGHTS)]


@pytest.mark.parametrize("kind", ["svg", "png"])
def test_the_same_images_give_the_same_bytes(kind: str, tmp_path: Path):
    first = save_overlays(tmp_path / f"a.{kind}", OVERLAYS).read_bytes()
    assert save_overlays(tmp_path / "deeper" / f"b.{kind}", OVERLAYS).read_bytes() == first


def test_titles_are_text_and_nothing_comes_from_elsewhere(tmp_path: Path):
    file = save_overlays(tmp_path / "a.svg", OVERLAYS).read_text()
    assert ">&lt;image&gt;</text>" in file
    assert file.count('href="data:image/png;base64,') == 2


def test_the_most_coloured_place_is_where_the_weight_is_greatest():
    pixels = np.asarray(shaded(Overlay("", np.full_like(IMAGE, 128), WEIGHTS)), dtype=float)
    colour = pixels.max(axis=-1) - pixels.min(axis=-1)
    side = len(colour)
    assert colour[0, side - 1] > 50
    assert colour[side - 1, 0] == 0


def test_weights_of_zero_can_be_drawn():
    drawn = shaded(Overlay("", IMAGE, np.zeros((2, 2), dtype=np.float32)))
    grey = np.asarray(drawn)
    assert (grey == grey[..., :1]).all()


def test_a_png_has_its_margin_on_every_side(tmp_path: Path):
    with Image.open(save_overlays(tmp_path / "a.png", OVERLAYS)) as image:
        pixels = np.asarray(image)
    paper = pixels[0, 0]
    for edge in (pixels[:10], pixels[-10:], pixels[:, :10], pixels[:, -10:]):
        assert (edge == paper).all()


def test_another_ending_and_no_images_are_refused(tmp_path: Path):
    with pytest.raises(ValueError, match=r"end in \.svg or \.png"):
        save_overlays(tmp_path / "a.pdf", OVERLAYS)
    with pytest.raises(ValueError, match="at least one image, found none"):
        save_overlays(tmp_path / "a.svg", [])
    assert not list(tmp_path.iterdir())
