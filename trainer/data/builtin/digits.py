"""Handwritten digits: the 1,797 real 8x8 images that ship with scikit-learn, enlarged to 32x32."""

from collections.abc import Iterator

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

from trainer.data.builtin.rendering import Builtin, Rendered, Sizes
from trainer.data.splits import hold_out
from trainer.data.task_data import SPLITS

SIDE = 32
SEED = 1797
BRIGHTEST = 16


def render_digits(sizes: Sizes) -> Iterator[Rendered]:
    """Yield the digits, bright strokes on black, in a fixed stratified split."""
    digits = load_digits()
    labels = [int(label) for label in digits.target]
    rest, val, test = hold_out(labels, (sizes.val, sizes.test), SEED)
    for split, indices in zip(SPLITS, (rest[: sizes.train], val, test), strict=True):
        for i in indices:
            grey = np.round(digits.images[i] * (255 / BRIGHTEST)).astype(np.uint8)
            image = Image.fromarray(grey).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
            yield split, labels[i], image


DIGITS = Builtin(
    ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
    Sizes(train=1000, val=200, test=597),
    render_digits,
)
