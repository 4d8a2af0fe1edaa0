"""What more tasks about one image cost, through the engine: decoding, lookup, trunk and heads.

Rows of one image share a row of the trunk where their prompts are equal, or where they have none,
and its first blocks where their prompts begin later.
"""

import statistics
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from torch import Tensor, nn

from adapters.artifact.backbone_spec import BackboneSpec
from adapters.cache.cached_store import CachedStore
from adapters.store.directory import DirectoryStore
from adapters.vit.adapter import Adapter, encode
from adapters.vit.backbone import Backbone
from serving.inference.bank import AdapterBank
from serving.inference.core import Core
from serving.inference.engine import Engine, Query
from serving.protocol import Answer
from serving.trunk.allocator import disable_malloc_trim
from serving.trunk.choose import torch_backend
from tests.bench.measure import in_turns, speed_ratio
from tests.bench.models import NUM_CLASSES, NUM_PROMPTS, TINY, make_backbone
from tests.bench.photos import photo
from tests.bench.result import Result, Settings
from tests.fakes.artifacts import make_adapter
from tests.fakes.tiny import tiny_backbone

MOST = 16
CALLS = 5
IMAGE = photo(0, (500, 375))
LINEAR, EQUAL, DIFFERENT = "linear", "of equal prompts", "of different prompts"
ONE = f"1 {LINEAR}"
FIRST_BLOCKS = (0, 3, 6, 9)


def different(first_block: int) -> str:
    """Return the kind of tasks whose prompts differ, and begin at a block."""
    return f"{DIFFERENT} from block {first_block}" if first_block else DIFFERENT


class Case(NamedTuple):
    """How many tasks are asked about an image, of which kind, and where their prompts begin."""

    tasks: int
    kind: str
    first_block: int = 0

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.tasks} {self.kind}"


def cases(depth: int) -> list[Case]:
    """Return what is asked of a backbone."""
    first_blocks = [block for block in FIRST_BLOCKS if block <= max(0, depth - 2)]
    return [
        *(Case(tasks, LINEAR) for tasks in (1, 4, MOST)),
        *(Case(tasks, EQUAL) for tasks in (1, MOST)),
        *(Case(tasks, different(k), k) for k in first_blocks for tasks in (1, MOST)),
    ]


def run(settings: Settings) -> Result:
    """Ask one, four and sixteen tasks about one image, in turns, and count the trunk's rows."""
    disable_malloc_trim()
    backbone = tiny_backbone() if settings.short else make_backbone(TINY, settings.weights)
    rounds = 3 if settings.short else 40
    asked = cases(backbone.spec.depth)
    with TemporaryDirectory() as folder, _running(backbone, Path(folder), asked) as engine:
        asks = {case.name: partial(_ask, engine, case) for case in asked}
        rows = {name: _trunk_rows(backbone.trunk.patch_embed, ask) for name, ask in asks.items()}
        seconds = in_turns(asks, rounds)
    result = Result("image-tasks", notes=_notes(backbone, rounds))
    result.ratios["rows_for_16_linear_tasks"] = rows[f"{MOST} {LINEAR}"] / rows[ONE]
    for case in asked:
        over_one = speed_ratio(seconds, ONE, over=case.name)
        result.rows.append(
            {
                "tasks": case.tasks,
                "kind": case.kind,
                "trunk_rows": rows[case.name],
                "ms": 1000 * statistics.median(seconds[case.name]),
                "over_one": over_one.median,
                "low": over_one.low,
                "high": over_one.high,
            }
        )
    for kind, name in ((LINEAR, "linear"), (EQUAL, "equal"), (DIFFERENT, "different")):
        over = speed_ratio(seconds, f"1 {kind}", over=f"{MOST} {kind}")
        result.add_ratio(f"time_of_16_{name}_over_1", over)
    result.ratios["cost_of_16_by_first_block"] = {
        str(block): round(speed_ratio(seconds, f"1 {kind}", over=f"{MOST} {kind}").median, 4)
        for kind, block in {(case.kind, case.first_block): None for case in asked}
        if kind == different(block)
    }
    return result


@contextmanager
def _running(backbone: Backbone, folder: Path, asked: Iterable[Case]) -> Iterator[Engine]:
    """Yield an engine with every task resident."""
    with closing(CachedStore(DirectoryStore(folder))) as source:
        for case in asked:
            if case.tasks == MOST:
                for number in range(MOST):
                    source.publish(encode(_adapter(backbone.spec, case, number)))
        source.watch()
        bank = AdapterBank(backbone, source, 1 << 30)
        with closing(Engine(Core(torch_backend(backbone), source, bank))) as engine:
            engine.warm_up(source.tasks())
            yield engine


def _adapter(spec: BackboneSpec, case: Case, number: int) -> Adapter:
    make = partial(
        make_adapter,
        _task(case.kind, number),
        NUM_CLASSES,
        prompts=NUM_PROMPTS,
        method="linear" if case.kind == LINEAR else "spt-deep",
        first_block=case.first_block,
        backbone=spec,
    )
    own = make(seed=number)
    prompts = make(seed=0).prompts if case.kind == EQUAL else own.prompts
    return replace(own, prompts=None if prompts is None else 0.1 * prompts)


def _task(kind: str, number: int) -> str:
    return f"{kind.replace(' ', '-')}-{number}"


def _ask(engine: Engine, case: Case) -> None:
    queries = [Query(IMAGE, _task(case.kind, number)) for number in range(case.tasks)]
    for outcome in engine.predict(queries):
        if not isinstance(outcome, Answer):
            raise outcome


def _trunk_rows(first: nn.Module, ask: Callable[[], object]) -> int:
    """Return how many rows the trunk's first layer is given while something is asked.

    The least of some calls: a late lookup makes its rows a batch of their own.
    """
    return min(_rows_of_one_call(first, ask) for _ in range(CALLS))


def _rows_of_one_call(first: nn.Module, ask: Callable[[], object]) -> int:
    rows: list[int] = []

    def count(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        rows.append(len(inputs[0]))

    with first.register_forward_pre_hook(count):
        ask()
    return sum(rows)


def _notes(backbone: Backbone, rounds: int) -> list[str]:
    precision = str(backbone.dtype).removeprefix("torch.")
    return [
        f"{backbone.spec.name}, {precision}, eager; one 500x375 JPEG file, {NUM_PROMPTS} deep "
        f"prompts per block, {NUM_CLASSES} classes; all tasks are resident",
        "through the engine, so decoding is part of every figure; no HTTP",
        "trunk_rows: counted at the trunk's first layer; over_one: the time over that of one "
        "linear task",
        "cost_of_16_by_first_block: the time of 16 tasks over that of one, by the block at which "
        "their prompts begin",
        f"{rounds} rounds in turns",
    ]
