"""What fronts cost, and how long a device waits for them; the device is paced, and costs nothing.

Real processes: fronts that decode, and the one that owns the device. In turns with them the engine
of one process, one batch after the other. The device is slow enough for the fronts to suffice.
"""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from adapters.store.directory import DirectoryStore
from adapters.vit.adapter import encode
from tests.bench.front_load import SIZE, TASKS
from tests.bench.line_process import LineProcess
from tests.bench.measure import Spread
from tests.bench.models import TINY, make_backbone, random_adapter
from tests.bench.result import Result, Settings

H100_ROW_S = 1 / 12_000
"""The goal of images a second on an H100: 64 rows take 64 times as long."""

SHARE_OF_FRONTS = 0.8
CROPS_ON = ("device", "host")


class Plan(NamedTuple):
    """How much is measured.

    Attributes:
        fronts: processes; each decodes in one thread.
        callers: of each front, and `batch` images of each of their calls.
        batch: see above.
        window_s: of one turn.
        rounds: of turns.
    """

    fronts: int = len(os.sched_getaffinity(0))
    callers: int = 3
    batch: int = 16
    window_s: float = 5.0
    rounds: int = 7


SHORT = Plan(fronts=1, callers=2, batch=4, window_s=0.2, rounds=1)


class Service(NamedTuple):
    """Processes that answer together, and the one of them that has the paced device."""

    device: LineProcess
    fronts: Sequence[LineProcess]

    @property
    def all(self) -> set[LineProcess]:
        """Each once: what answers without fronts is its own front."""
        return {self.device, *self.fronts}


class Seen(NamedTuple):
    """One turn: images, how long it took, and seconds of processors and of the paced device.

    The device's own ones end with the last rows it is given, and begin with the first.
    """

    images: float
    seconds: float
    cpu_s: float
    device_cpu_s: float
    busy_s: float
    idle_s: float

    @property
    def idle_share(self) -> float:
        """Share of the device's time in which it had nothing to do."""
        return self.idle_s / (self.idle_s + self.busy_s)

    def ms(self, cpu_s: float) -> float:
        """Return processor seconds as milliseconds of one image."""
        return 1000 * cpu_s / self.images


class Turn(NamedTuple):
    """One round: images decoded alone, and answered by fronts and by one process."""

    decoding: Seen
    service: Seen
    alone: Seen


def run(settings: Settings) -> Result:
    """Measure with crops on the device and on the host, in turns."""
    plan = SHORT if settings.short else Plan()
    with TemporaryDirectory() as folder, ExitStack() as running:
        store = _store(Path(folder))
        services = {
            where: running.enter_context(_service(plan, store, Path(folder) / where, where))
            for where in CROPS_ON
        }
        turns: dict[str, list[Turn]] = {where: [] for where in CROPS_ON}
        for _ in range(plan.rounds):
            for where, service in services.items():
                turns[where].append(_turn(plan, service))
    result = Result("front", notes=_notes(plan))
    for where, suffix in zip(CROPS_ON, ("", "_cropped_by_fronts"), strict=True):
        _add(result, turns[where], suffix)
    result.rows += _parts(turns)
    return result


def _store(folder: Path) -> Path:
    store = DirectoryStore(folder / "store")
    spec = make_backbone(TINY).spec
    for number in range(len(TASKS)):
        store.publish(encode(random_adapter(spec, number)))
    return folder / "store"


@contextmanager
def _service(plan: Plan, store: Path, folder: Path, crops_on: str) -> Iterator[Service]:
    """Yield fronts with their device process, warm."""
    folder.mkdir()
    side = str(max(SIZE) if crops_on == "device" else 0)
    paced = (str(store), str(folder), side, str(plan.callers * plan.batch))
    asking = (str(folder), side, str(plan.callers), str(plan.batch))
    with ExitStack() as running:

        def started(module: str, *arguments: str) -> LineProcess:
            process = LineProcess(f"tests.bench.{module}", *arguments)
            return running.enter_context(closing(process))

        device = started("paced_process", *paced)
        fronts = [started("front_process", *asking) for _ in range(plan.fronts)]
        for process in (device, *fronts):
            process.ask("predict 0.01")
        yield Service(device, fronts)


def _turn(plan: Plan, service: Service) -> Turn:
    """See how much the fronts bring, pace the device by it, and see how well it is fed."""
    decoding = _seen(plan, service, "decode", H100_ROW_S)
    fronts = _seen(plan, service, "predict", H100_ROW_S)
    row_s = max(H100_ROW_S, fronts.seconds / fronts.images / SHARE_OF_FRONTS)
    alone = Service(service.device, [service.device])
    return Turn(decoding, *(_seen(plan, one, "predict", row_s) for one in (service, alone)))


def _seen(plan: Plan, service: Service, what: str, row_s: float) -> Seen:
    """Let all fronts do something for a while, and wait until the last has done it."""
    device = service.device
    device.ask(f"pace {row_s}")
    busy_s, idle_s, own_s = device.ask("busy"), device.ask("idle"), device.cpu_s
    cpu_s, begins = _cpu_s(service), time.perf_counter()
    for front in service.fronts:
        front.tell(f"{what} {plan.window_s}")
    images = sum(front.read() for front in service.fronts)
    seconds = time.perf_counter() - begins
    own_s, cpu_s = device.cpu_s - own_s, _cpu_s(service) - cpu_s
    busy_s, idle_s = device.ask("busy") - busy_s, device.ask("idle") - idle_s
    return Seen(images, seconds, cpu_s, own_s, busy_s, idle_s)


def _cpu_s(service: Service) -> float:
    return sum(process.cpu_s for process in service.all)


def _add(result: Result, turns: Sequence[Turn], suffix: str) -> None:
    served = [turn.service for turn in turns]
    alone = [turn.alone for turn in turns]
    figures = {
        f"idle_share{suffix}": [one.idle_share for one in served],
        f"idle_share_of_one_process{suffix}": [one.idle_share for one in alone],
        f"cpu_ms_per_image{suffix}": [one.ms(one.cpu_s) for one in served],
        f"cpu_ms_of_one_process{suffix}": [one.ms(one.cpu_s) for one in alone],
    }
    for name, values in figures.items():
        result.add_ratio(name, Spread.of(values))


def _parts(turns: dict[str, list[Turn]]) -> list[dict[str, Any]]:
    """Return what an image costs, part by part; parts that are not seen apart are differences."""
    decode = [turn.decoding.ms(turn.decoding.cpu_s) for turn in turns["device"]]
    rows = []
    for where, own in turns.items():
        decoder = [turn.decoding.ms(turn.decoding.cpu_s) for turn in own]
        device = [turn.service.ms(turn.service.device_cpu_s) for turn in own]
        whole = [turn.service.ms(turn.service.cpu_s) for turn in own]
        resize = {"resize and crop": _minus(decoder, decode)} if where == "host" else {}
        parts = {
            "decode": decode,
            **resize,
            "front: messages, slots, threads": _minus(_minus(whole, device), decoder),
            "device process: lookup, copies, messages": device,
            "all": whole,
        }
        images_per_s = [turn.service.images / turn.service.seconds for turn in own]
        for part, values in parts.items():
            rows.append(_row(where, part, values, median(images_per_s)))
    return rows


def _minus(some: Sequence[float], others: Sequence[float]) -> list[float]:
    return [one - other for one, other in zip(some, others, strict=True)]


def _row(where: str, part: str, values: Sequence[float], images_per_s: float) -> dict[str, Any]:
    spread = Spread.of(values)
    return {
        "crops_on": where,
        "part": part,
        "cpu_ms": spread.median,
        "low": spread.low,
        "high": spread.high,
        "images_per_s": images_per_s if part == "all" else None,
    }


def _notes(plan: Plan) -> list[str]:
    return [
        f"500x375 JPEG files of about 65 kB, {len(TASKS)} tasks; {plan.fronts} fronts with one "
        f"decoding thread and {plan.callers} callers each, {plan.batch} images a call, against one "
        f"process that answers {plan.callers * plan.batch} images at a time",
        "the device computes nothing: it sleeps rows/12,000 s, the goal of an H100 (64 rows: "
        f"5.3 ms), or longer, so that it takes {SHARE_OF_FRONTS:.0%} of the images that fronts and "
        "device process of the same round bring at the H100's pace: the processors suffice",
        "idle_share: part of the time from the first rows to the last in which the device has "
        "none, while callers wait; cpu_ms_per_image: processor time of all processes over the "
        "images answered",
        "the device process prepares the copies and tables of a GPU; launches of kernels are left "
        "out",
        f"{plan.rounds} rounds of {plan.window_s:g} s a turn; resize and the front's own part are "
        "differences of turns, so on a busy machine they may be below zero",
    ]
