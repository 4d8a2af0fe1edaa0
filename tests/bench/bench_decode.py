"""How fast JPEG files become pixels, by decoder, and whether they become the same pixels."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import torch

from adapters.vit.pixels import normalise
from tests.bench.decoders import RULE, JpegDecoder, installed
from tests.bench.measure import in_turns, speed_ratio
from tests.bench.photos import photos
from tests.bench.result import Result, Settings

STAGES = ("decode", "whole", "crop", "to pixels")


class _Candidate(NamedTuple):
    decoder: str
    threads: int
    stage: str


def run(settings: Settings) -> Result:
    """Measure every installed decoder with one and two threads, from its decoding to all of it."""
    files = photos(8 if settings.short else 48, sizes=[(500, 375)])
    decoders, missing = installed()
    torch_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(2) as pool:
            jobs = _jobs(decoders, files, {1: map, 2: pool.map})
            rounds = 3 if settings.short else 20
            seconds = in_turns(jobs, rounds)
            processor = in_turns(jobs, rounds, clock=time.process_time)
    finally:
        torch.set_num_threads(torch_threads)
    pillow = decoders["Pillow"]
    differences = {name: _differences(one, pillow, files) for name, one in decoders.items()}
    result = Result("decode", notes=_notes(missing))
    for one in jobs:
        over = speed_ratio(seconds, one, one._replace(decoder="Pillow"))
        measured = {
            "images_per_s": len(files) / statistics.median(seconds[one]),
            "over_pillow": over.median,
            "processor_ms": 1000 * statistics.median(processor[one]) / len(files),
            "max_difference": differences[one.decoder][one.stage],
        }
        result.rows.append(one._asdict() | measured)
    one, two = (_Candidate("Pillow", threads, "to pixels") for threads in (1, 2))
    result.add_ratio("pillow_two_threads_over_one", speed_ratio(seconds, two, one))
    whole = {name: _Candidate(name, 1, "whole") for name in decoders}
    for name in ("ours", "torchvision"):
        ratio = speed_ratio(processor, whole[name], whole["Pillow"])
        result.add_ratio(f"{name}_over_pillow_whole", ratio)
    return result


def _jobs(
    decoders: Mapping[str, JpegDecoder], files: Sequence[bytes], maps: Mapping[int, Callable]
) -> dict[_Candidate, Callable[[], object]]:
    """Return what decodes all files, by decoder, stage and number of threads."""

    def job(name: str, threads: int, stage: str) -> Callable[[], object]:
        step = _step(decoders[name], stage)
        return lambda: list(maps[threads](step, files))

    candidates = [
        _Candidate(name, threads, stage)
        for stage in STAGES
        for threads in maps
        for name in decoders
    ]
    return {candidate: job(*candidate) for candidate in candidates}


def _step(decoder: JpegDecoder, stage: str) -> Callable[[bytes], object]:
    steps: dict[str, Callable[[bytes], object]] = {
        "decode": decoder.decode,
        "whole": lambda data: decoder.pixels(decoder.decode(data)),
        "crop": lambda data: decoder.crop(decoder.decode(data)),
        "to pixels": lambda data: normalise(decoder.crop(decoder.decode(data)), RULE),
    }
    return steps[stage]


def _differences(
    decoder: JpegDecoder, pillow: JpegDecoder, files: Sequence[bytes]
) -> dict[str, int]:
    """Return the largest difference of any 8-bit value, after each stage."""
    pairs = [(decoder.decode(data), pillow.decode(data)) for data in files]
    decoded = max(_apart(decoder.pixels(a), pillow.pixels(b)) for a, b in pairs)
    cropped = max(_apart(decoder.crop(a), pillow.crop(b)) for a, b in pairs)
    return {"decode": decoded, "whole": decoded, "crop": cropped, "to pixels": cropped}


def _apart(one: np.ndarray, other: np.ndarray) -> int:
    return int(np.abs(one.astype(int) - other.astype(int)).max())


def _notes(missing: Sequence[str]) -> list[str]:
    notes = [
        "500x375 JPEG files of about 60 kB; whole: decoded to RGB that a device could crop; crop: "
        "resized to 224x224; to pixels: normalised as well",
        "processor_ms: of one image, all threads together",
        "max_difference: of 8-bit values from Pillow's, the pixels that adapters were trained on",
        "OpenCV resizes by area, for its bicubic resize does not smooth before it shrinks",
        "ours: with its checks of size, format and EXIF rotation; the others check nothing",
    ]
    return notes + [f"{name} is not installed and was skipped" for name in missing]
