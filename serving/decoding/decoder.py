"""Bytes → image → pixels in threads: what is decoded at once is bounded, and what takes too long.

Knows nothing of rows: an image comes with the rules that it is asked under.
Axis letters: H W pixels.
"""

from collections.abc import Collection
from concurrent.futures import Future, wait
from functools import partial
from typing import Final, NamedTuple

from jaxtyping import Float
from torch import Tensor

from adapters.artifact.preprocessing import ImageLimits, Preprocessing
from adapters.images.decode import Size, decode_image, decoding_bytes
from adapters.vit.pixels import resizing_bytes, to_pixels
from serving.config import DECODE_THREADS
from serving.deadline import Deadline
from serving.decoding.budget import ByteBudget
from serving.decoding.threads import Threads
from serving.errors import DecodingTooSlow
from serving.trunk.allocator import trim_malloc

Pixels = dict[Preprocessing, Float[Tensor, "3 H W"]]
Decoding = Future[Pixels]

PATIENCE_S: Final = 20.0
BUDGET_BYTES: Final = 1 << 29


class DecoderSettings(NamedTuple):
    """What decoding may cost.

    Attributes:
        limits: of one image.
        threads: images decoded side by side.
        budget_bytes: of decoded pixels in all threads together.
        patience_s: how long a batch waits for its images.
    """

    limits: ImageLimits = ImageLimits()
    threads: int = DECODE_THREADS
    budget_bytes: int = BUDGET_BYTES
    patience_s: float = PATIENCE_S


class Decoder:
    """Decodes encoded images into pixels."""

    def __init__(self, settings: DecoderSettings) -> None:
        self._limits = settings.limits
        self._patience_s = settings.patience_s
        self._budget = ByteBudget(settings.budget_bytes, trim_malloc)
        # as many may be stuck as work: a flood of slow images then waits for its own kind
        self._threads = Threads(settings.threads, most_stuck=settings.threads)

    def start(self, image: bytes, rules: Collection[Preprocessing]) -> Decoding:
        """Begin to decode one image; its pixels are made under each of the rules."""
        return self._threads.submit(partial(self._decode, image, rules))

    def finish(
        self, decodings: Collection[Decoding], deadline: Deadline
    ) -> dict[Decoding, Pixels | Exception]:
        """Wait for images; what is not decoded by then is given up, each by itself."""
        late = wait(decodings, deadline.left_s).not_done
        for decoding in late:
            self._threads.write_off(decoding)
        return {
            decoding: _too_slow() if decoding in late else _outcome(decoding)
            for decoding in decodings
        }

    def close(self) -> None:
        """Let the threads go."""
        self._threads.close()

    def _decode(self, data: bytes, rules: Collection[Preprocessing]) -> Pixels:
        with self._budget.loan(self._patience_s) as reserve:
            image = decode_image(data, self._limits, lambda size: reserve(_bytes(size, rules)))
            made = {rule: to_pixels(image, rule) for rule in rules}
            del image  # before its bytes are given back
        return made


def _bytes(size: Size, rules: Collection[Preprocessing]) -> int:
    """Return the memory for an image's pixels, decoded and resized, one rule after the other."""
    return decoding_bytes(size) + max((resizing_bytes(size, rule) for rule in rules), default=0)


def _outcome(decoding: Decoding) -> Pixels | Exception:
    # asked for and not raised here: a raised one would hold this frame, and the rows above it
    error = decoding.exception()
    return error if isinstance(error, Exception) else decoding.result()


def _too_slow() -> DecodingTooSlow:
    return DecodingTooSlow(
        "the image takes longer to decode than its batch may wait; ask again, or send a smaller one"
    )
