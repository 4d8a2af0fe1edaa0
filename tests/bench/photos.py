"""JPEG files as a camera's small pictures are: smooth, with some grain, all different."""

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

SIZES = ((500, 375), (375, 500), (400, 400), (320, 240), (224, 224))


def photos(count: int, sizes: Sequence[tuple[int, int]] = SIZES) -> list[bytes]:
    """Return so many different JPEG files of these sizes in turn, 20 to 70 kB each."""
    return [photo(seed, sizes[seed % len(sizes)]) for seed in range(count)]


def photo(seed: int, size: tuple[int, int]) -> bytes:
    """Return one JPEG file of `size` pixels; the same seed gives the same bytes."""
    random = np.random.default_rng(seed)
    coarse = Image.fromarray(random.integers(0, 256, (24, 32, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize(size, Image.Resampling.BICUBIC), np.float32)
    grainy = smooth + random.normal(0, 9, smooth.shape)
    file = io.BytesIO()
    Image.fromarray(grainy.clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=88)
    return file.getvalue()
