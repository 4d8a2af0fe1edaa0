"""Bytes → image → pixels for a batch: each distinct image is decoded once, in a thread.

Knows nothing of a row's task beyond its preprocessing. Axis letters: H W pixels.
"""

from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from jaxtyping import Float
from torch import Tensor

from adapters.artifact.preprocessing import ImageLimits, Preprocessing
from adapters.vit.pixels import decode_image, to_pixels
from serving.inference.row import Row, pending


class Decoder:
    """A pool of threads that turns encoded images into pixels.

    Args:
        limits: of one image.
        threads: images decoded side by side.
    """

    def __init__(self, limits: ImageLimits, threads: int) -> None:
        self._limits = limits
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="decode")

    def start(self, rows: Sequence[Row]) -> None:
        """Begin to decode the images of rows that have a resident, the first image first."""
        alike: dict[int, list[Row]] = defaultdict(list)
        for row in rows:
            alike[id(row.query.image)].append(row)
        for same in alike.values():
            decoding = self._pool.submit(self._decode, same)
            for row in same:
                row.decoding = decoding

    def close(self) -> None:
        """Let the threads go."""
        self._pool.shutdown()

    def _decode(self, rows: Sequence[Row]) -> None:
        """Give pixels, or what is wrong with their image, to rows that share one."""
        try:
            image = decode_image(rows[0].query.image, self._limits)
            made: dict[Preprocessing, Float[Tensor, "3 H W"]] = {}
            for row in rows:
                rule = row.resident.meta.preprocessing
                pixels = made.get(rule)
                if pixels is None:
                    pixels = made[rule] = to_pixels(image, rule)
                row.pixels = pixels
        except Exception as error:  # belongs to this image alone, whatever it is
            for row in rows:
                row.outcome = error


def decoded(rows: Sequence[Row]) -> list[Row]:
    """Wait for the images of some rows; return the rows that have pixels, the others are done."""
    for row in rows:
        row.decoding.result()
    return pending(rows)
