"""One cell of the engine's benchmark: a model, a precision and a batch, and all who compute it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from adapters.vit.adapter import Adapter
from adapters.vit.backbone import Backbone
from serving.trunk.backend import Backend
from tests.bench.candidates import (
    ROUNDED,
    exported_backends,
    other_ways,
    plain_peers,
    torch_backends,
    with_adapters,
)
from tests.bench.contest import best_of, fastest, pipelined, rows_of, timed
from tests.bench.engine_int8 import Again
from tests.bench.engine_plan import (
    BEST_BUSY,
    FLOAT32_RATIOS,
    INT8_RATIOS,
    PLAIN_INT8,
    PLAIN_INT8_WITH_DOUBTS,
    WITH_DOUBTS,
    Plan,
)
from tests.bench.exports import Exports
from tests.bench.int8 import with_doubts
from tests.bench.measure import Seconds, speed_ratio
from tests.bench.models import precision_of, random_pixels
from tests.bench.peers import Forward
from tests.bench.plain.int8 import quantise_plain
from tests.bench.plain.on_openvino import openvino_settings
from tests.bench.processor import has_bfloat16
from tests.bench.result import Result

DEVICE, PIPELINED = "device time", "pipelined"
BATCHES_IN_A_ROW = 6


class Source(NamedTuple):
    """What everyone is made from.

    Attributes:
        exact: the backbone in float32.
        exports: of it; None where nothing reads one, as on a GPU.
        folder: for what is rounded; must stay.
    """

    exact: Backbone
    exports: Exports | None
    folder: Path


class Entrants(NamedTuple):
    """Who computes rows of one backbone.

    Attributes:
        backbone: in the precision that is measured.
        ours: backends by name.
        plain: settings of each that runs the bare trunk, by name.
        rounded: settings of the bare trunk in int8; None where it is not measured.
        again: shares of the rows that int8 leaves in doubt.
    """

    backbone: Backbone
    ours: Mapping[str, Backend]
    plain: Mapping[str, Mapping[str, Forward]]
    rounded: Mapping[str, Forward] | None
    again: Again | None


def make_entrants(
    backbone: Backbone,
    batches: Sequence[int],
    source: Source,
    *,
    compiled: bool,
    again: Again | None,
) -> Entrants:
    """Build and warm up everyone; takes seconds to minutes.

    Args:
        backbone: in the precision to be measured.
        batches: rows of the forwards to come.
        source: of the same backbone.
        compiled: whether to compile, too.
        again: see `Entrants`.
    """
    exact, exports, folder = source
    ours, graph = torch_backends(backbone, batches, compiled=compiled), None
    if exports is not None:
        graph = exports.plain(exact)
        ours |= exported_backends(exact, precision_of(backbone), exports.trunk(exact), folder)
    plain = plain_peers(backbone, batches, graph, compiled=compiled)
    rounded = None
    if (
        ours.keys() >= ROUNDED
        and graph is not None
        and again is not None
        and again.plain is not None
    ):
        target = folder / "plain-int8.onnx"
        quantise_plain(graph, target, random_pixels(backbone, max(batches)))
        rounded = _rounded_settings(target)
    return Entrants(backbone, ours, plain, rounded, again)


def _rounded_settings(graph: Path) -> dict[str, Forward]:
    """Return what a user would try for an int8 graph, in each type for what it leaves."""
    types = ("float32", "bfloat16") if has_bfloat16() else ("float32",)
    return {
        f"{name}, {precision} between products": forward
        for precision in types
        for name, forward in openvino_settings(graph, precision).items()
    }


class Cell:
    """One batch, a row of each adapter.

    Args:
        plan: what is measured.
        entrants: who computes it.
        adapters: with deep prompts.
    """

    def __init__(self, plan: Plan, entrants: Entrants, adapters: Sequence[Adapter]) -> None:
        self._plan = plan
        self._entrants = entrants
        self._adapters = adapters
        self._batch = len(adapters)
        backbone = entrants.backbone
        self._model = backbone.spec.name
        self._precision = precision_of(backbone)
        self._pixels = random_pixels(backbone, self._batch)
        self._ours = with_adapters(entrants.ours, adapters)

    def measure(self, result: Result, budget_s: float) -> None:
        """Time everyone on an otherwise idle machine."""
        plain, rounded = self._plain(result, ""), self._rounded(result)
        entrants, plan = self._entrants, self._plan
        other = other_ways(
            entrants.backbone,
            entrants.ours["mixed"],
            self._adapters,
            copies=plan.copies_of in {None, self._model},
        )
        forwards = self._ours | plain | rounded | other
        seconds = timed(forwards, self._pixels, plan.rounds, budget_s)
        self._add_doubts(seconds)
        result.rows += rows_of(self._conditions(DEVICE, 0), self._batch, seconds)
        if self._batch == self._plan.batch_of_ratios:
            self._add_ratios(result, seconds, plain)

    def measure_busy(self, result: Result) -> None:
        """Time ours and the plain ones between busy neighbours."""
        plan = self._plan
        plain = self._plain(result, ", busy neighbours")
        seconds = timed(self._exact() | plain, self._pixels, plan.rounds, 2 * plan.seconds)
        result.rows += rows_of(self._conditions(DEVICE, plan.neighbours), self._batch, seconds)
        self._add_best(result, BEST_BUSY, seconds, plain)

    def measure_pipelined(self, result: Result) -> None:
        """See how many images a second ours and the plain ones have with batches in flight."""
        forwards = self._exact() | self._plain(result, ", batches in flight")
        seconds = pipelined(forwards, self._pixels, BATCHES_IN_A_ROW, rounds=self._plan.rounds[0])
        result.rows += rows_of(self._conditions(PIPELINED, 0), self._batch, seconds)

    def _conditions(self, figure: str, neighbours: int) -> dict[str, Any]:
        return {
            "figure": figure,
            "busy_neighbours": neighbours,
            "model": self._model,
            "precision": self._precision,
        }

    def _exact(self) -> dict[str, Forward]:
        return {name: forward for name, forward in self._ours.items() if name not in ROUNDED}

    def _plain(self, result: Result, where: str) -> dict[str, Forward]:
        """Choose each plain one's best setting for this batch, here and now."""
        chosen = {}
        for name, settings in self._entrants.plain.items():
            setting = fastest(settings, self._pixels)
            chosen[name] = settings[setting]
            if len(settings) > 1:
                result.notes.append(
                    f"{name}, {self._model}, {self._precision}, {self._batch} rows{where}: "
                    f"{setting}, the fastest of {len(settings)} settings"
                )
        return chosen

    def _rounded(self, result: Result) -> dict[str, Forward]:
        rounded = self._entrants.rounded
        if rounded is None:
            return {}
        setting = fastest(rounded, self._pixels)
        result.notes.append(f"{PLAIN_INT8}, {self._model}, {self._batch} rows: {setting}")
        return {PLAIN_INT8: rounded[setting]}

    def _add_doubts(self, seconds: Seconds) -> None:
        again = self._entrants.again
        if again is None or not seconds.keys() >= ROUNDED:
            return
        for name, share in again.ours.items():
            seconds[WITH_DOUBTS[name]] = with_doubts(seconds, name, "one forward per task", share)
        if again.plain is not None:
            seconds[PLAIN_INT8_WITH_DOUBTS] = with_doubts(
                seconds, PLAIN_INT8, "plain openvino", again.plain
            )

    def _add_ratios(self, result: Result, seconds: Seconds, plain: Mapping[str, Forward]) -> None:
        plan, is_last = self._plan, self._model == self._plan.last
        found = dict(FLOAT32_RATIOS) if is_last and self._precision == "float32" else {}
        if self._precision == plan.precision:
            found |= plan.ratios if is_last else {}
            for name in plan.best.get(self._model, ()):
                self._add_best(result, name, seconds, plain)
        if is_last and WITH_DOUBTS["onnx int8"] in seconds:
            best = best_of(seconds, WITH_DOUBTS.values())
            found |= {name: (best, theirs) for name, theirs in INT8_RATIOS.items()}
        for name, (ours, theirs) in found.items():
            if {ours, theirs} <= seconds.keys():
                result.add_ratio(name, speed_ratio(seconds, ours, theirs))

    def _add_best(
        self, result: Result, name: str, seconds: Seconds, plain: Mapping[str, Forward]
    ) -> None:
        ours, theirs = best_of(seconds, self._exact()), best_of(seconds, plain)
        result.add_ratio(name, speed_ratio(seconds, ours, theirs))
        result.notes.append(
            f"{name}: {ours} over {theirs}, {self._model}, {self._precision}, {self._batch} rows"
        )
