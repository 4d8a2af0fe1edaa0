"""Bytes → image → crop in threads: what is decoded at once is bounded, and what takes too long.

Knows nothing of rows: an image comes with the rules that it is asked under.
Without torch.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from concurrent.futures import Future, wait
from functools import partial
from typing import Final, NamedTuple

from PIL import Image

from adapters.artifact.preprocessing import ImageLimits, Preprocessing
from adapters.images.crop import (
    Picture,
    crop_centre,
    decode_by_rule,
    pixels_by_rule,
    resizing_bytes,
)
from adapters.images.decode import Reserve, Size, decoding_bytes
from serving.config import DECODE_THREADS
from serving.deadline import Deadline
from serving.decoding.budget import ByteBudget
from serving.decoding.threads import Threads
from serving.errors import DecodingTooSlow
from serving.trunk.allocator import trim_malloc

Pictures = dict[Preprocessing, Picture]
Decoding = Future[Pictures]

PATIENCE_S: Final = 20.0
BUDGET_BYTES: Final = 1 << 29


class DecoderSettings(NamedTuple):
    """What decoding may cost.

    Attributes:
        limits: of one image.
        threads: images decoded side by side.
        budget_bytes: of decoded pixels in all threads together.
        patience_s: how long a batch waits for its images.
        whole_side: images whose sides are no longer are left whole; 0 crops all of them here.
    """

    limits: ImageLimits = ImageLimits()
    threads: int = DECODE_THREADS
    budget_bytes: int = BUDGET_BYTES
    patience_s: float = PATIENCE_S
    whole_side: int = 0


class Decoder:
    """Decodes encoded images into what their rules ask for."""

    def __init__(self, settings: DecoderSettings) -> None:
        self._limits = settings.limits
        self._patience_s = settings.patience_s
        self._whole_side = settings.whole_side
        self._budget = ByteBudget(settings.budget_bytes, trim_malloc)
        # as many may be stuck as work: a flood of slow images then waits for its own kind
        self._threads = Threads(settings.threads, most_stuck=settings.threads)

    def start(self, image: bytes, rules: Collection[Preprocessing]) -> Decoding:
        """Begin to decode one image; it is made a picture under each of the rules."""
        return self._threads.submit(partial(self._decode, image, rules))

    def start_all(self, asked: Sequence[tuple[bytes, Preprocessing]]) -> list[Decoding]:
        """Begin to decode images, each distinct object once under all of its rules.

        Args:
            asked: images with a rule each.

        Returns:
            One for each that was asked; those of one image share it.
        """
        images = {id(image): image for image, _ in asked}
        rules: dict[int, set[Preprocessing]] = defaultdict(set)
        for image, rule in asked:
            rules[id(image)].add(rule)
        begun = {key: self.start(image, rules[key]) for key, image in images.items()}
        return [begun[id(image)] for image, _ in asked]

    def finish(
        self, decodings: Collection[Decoding], deadline: Deadline
    ) -> dict[Decoding, Pictures | Exception]:
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

    def _decode(self, data: bytes, rules: Collection[Preprocessing]) -> Pictures:
        made: Pictures = {}
        with self._budget.loan(self._patience_s) as reserve:
            for alike in _decoded_alike(rules):
                made |= self._pictures(data, alike, lambda size: reserve(_bytes(size, rules)))
        return made

    def _pictures(self, data: bytes, rules: Sequence[Preprocessing], reserve: Reserve) -> Pictures:
        """Decode an image, and return what rules with one way of decoding make of it."""
        if self._whole_side:
            pixels = pixels_by_rule(data, rules[0], self._limits, reserve)
            if max(pixels.shape) <= self._whole_side:
                return dict.fromkeys(rules, Picture(pixels, is_whole=True))
            image = Image.fromarray(pixels)
        else:
            image = decode_by_rule(data, rules[0], self._limits, reserve)
        return {rule: Picture(crop_centre(image, rule), is_whole=False) for rule in rules}


def _decoded_alike(rules: Collection[Preprocessing]) -> list[list[Preprocessing]]:
    """Return rules in groups that share an image; a draft depends on its own rule's size."""
    whole = [rule for rule in rules if rule.decoder == "pillow"]
    drafts = [[rule] for rule in rules if rule.decoder == "draft"]
    return [whole, *drafts] if whole else drafts


def _bytes(size: Size, rules: Collection[Preprocessing]) -> int:
    """Return the memory for an image's pixels, decoded and resized, one rule after the other."""
    return decoding_bytes(size) + max((resizing_bytes(size, rule) for rule in rules), default=0)


def _outcome(decoding: Decoding) -> Pictures | Exception:
    # asked for and not raised here: a raised one would hold this frame, and the rows above it
    error = decoding.exception()
    return error if isinstance(error, Exception) else decoding.result()


def _too_slow() -> DecodingTooSlow:
    return DecodingTooSlow(
        "the image takes longer to decode than its batch may wait; ask again, or send a smaller one"
    )
