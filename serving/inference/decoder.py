"""Bytes → image → pixels for a batch: each distinct image is decoded once, in a thread.

Knows nothing of tasks beyond their preprocessing. Axis letters: H W pixels.
"""

from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

from adapters.artifact.image_limits import ImageLimits
from adapters.vit.pixels import Preprocessing, decode_image, to_pixels

Pixels = Float[Tensor, "3 H W"]


class Wanted(NamedTuple):
    """One image under one rule; images that are the same object are decoded once."""

    image: bytes
    rule: Preprocessing


class Decoding(NamedTuple):
    """Pixels on their way."""

    rule: Preprocessing
    job: "Future[dict[Preprocessing, Pixels] | Exception]"

    def result(self) -> Pixels | Exception:
        """Wait; return the image's pixels or what is wrong with it alone."""
        decoded = self.job.result()
        return decoded if isinstance(decoded, Exception) else decoded[self.rule]


class Decoder:
    """A pool of threads that turns encoded images into pixels.

    Args:
        limits: of one image.
        threads: images decoded side by side.
    """

    def __init__(self, limits: ImageLimits, threads: int) -> None:
        self._limits = limits
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="decode")

    def start(self, wanted: Sequence[Wanted]) -> list[Decoding]:
        """Begin to decode, the first image first."""
        images = {id(image): image for image, _ in wanted}
        rules: dict[int, set[Preprocessing]] = defaultdict(set)
        for image, rule in wanted:
            rules[id(image)].add(rule)
        jobs = {
            which: self._pool.submit(self._decode_one, image, rules[which])
            for which, image in images.items()
        }
        return [Decoding(rule, jobs[id(image)]) for image, rule in wanted]

    def close(self) -> None:
        """Let the threads go."""
        self._pool.shutdown()

    def _decode_one(
        self, data: bytes, rules: set[Preprocessing]
    ) -> dict[Preprocessing, Pixels] | Exception:
        try:
            image = decode_image(data, self._limits)
            return {rule: to_pixels(image, rule) for rule in rules}
        except Exception as error:  # belongs to this image alone, whatever it is
            return error
