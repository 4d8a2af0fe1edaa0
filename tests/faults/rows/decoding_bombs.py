"""Small files that would become much, or take many passes: none costs the others much."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Final, NamedTuple

from PIL import Image

from tests.fakes import hostile
from tests.faults.row import Row
from tests.faults.scene.memory import megabytes
from tests.faults.scene.noticed import SLOW_S
from tests.faults.scene.scene import Scene
from tests.faults.scene.trials import another_process, flood_of, try_all
from tests.faults.scene.versions import TASKS
from tests.faults.sizes import Sizes
from tests.faults.strangers.flood import flood
from tests.faults.strangers.raw import post


class _Sent(NamedTuple):
    """A file, the status that it must be answered with, and how many of it come in a second."""

    make: Callable[[], bytes]
    status: int
    rate_per_s: float


def _png(width: int, height: int) -> bytes:
    return hostile.encoded(Image.new("RGBA", (width, height)), "PNG", compress_level=1)


def _jpeg(scans: int) -> bytes:
    return hostile.jpeg_of_many_scans(scans, Image.new("L", (4000, 4000)))


BOMBS: Final[Mapping[str, _Sent]] = {
    "PNG of 50 megapixels": _Sent(partial(_png, 7000, 7100), 413, 5),
    "JPEG of 1,300 scans": _Sent(partial(_jpeg, 1300), 413, 5),
    "PNG with 20 MB of text": _Sent(hostile.png_with_a_text_bomb, 200, 5),
}
LARGEST: Final[Mapping[str, _Sent]] = {
    "PNG of 16 megapixels": _Sent(partial(_png, 4000, 4000), 200, 1),
    "JPEG of 96 scans": _Sent(partial(_jpeg, 90), 200, 1),
}
"""The most that is taken: work like any other, and more of it; no image costs more."""


def run(scene: Scene, sizes: Sizes) -> Row:
    """Send each kind of bomb beside the others, in a phase of its own."""
    return _send(scene, sizes, "decoding bombs", BOMBS)


def run_largest(scene: Scene, sizes: Sizes) -> Row:
    """Send the costliest images that are answered, likewise."""
    row = _send(scene, sizes, "the costliest images that are answered, one a second", LARGEST)
    longest_s = max(row.conditions["longest_s"].values())
    goal = f"0 of the others' requests failed, none took longer than {SLOW_S:g} s"
    figure = f"{row.figure}; longest {longest_s:.2f} s"
    return replace(row, goal=goal, figure=figure, in_bounds=longest_s <= SLOW_S)


def _send(scene: Scene, sizes: Sizes, fault: str, files: Mapping[str, _Sent]) -> Row:
    requests = {name: post(f"task={TASKS[0]}", one.make()) for name, one in files.items()}
    before_mb = megabytes(scene.processes())
    with another_process(flood) as pool:
        floods = {
            name: flood_of(requests[name], one.rate_per_s, scene, sizes, pool)
            for name, one in files.items()
        }
        noticed = try_all(scene, sizes, {name: one.fault for name, one in floods.items()})
    after_mb = megabytes(scene.processes())
    grown = {name: after_mb[name] - mb for name, mb in before_mb.items()}
    return noticed.row(
        scene,
        f"{fault}: {', '.join(files)}",
        seen=f"memory {', '.join(f'{name} {mb:+.0f} MB' for name, mb in grown.items())}; ",
        must_be_0={
            f"{name}, answered with another status than {one.status}": floods[name].otherwise(
                one.status
            )
            for name, one in files.items()
        },
        conditions={"per_s": {name: one.rate_per_s for name, one in files.items()}},
    )
