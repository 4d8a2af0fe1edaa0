"""Which forwards are measured: models, precisions, batch sizes, and the ratios that count."""

from collections.abc import Mapping
from typing import NamedTuple

from adapters.vit.backbone import choose_device
from tests.bench.models import BASE, TINY
from tests.bench.processor import has_bfloat16
from tests.bench.result import Settings

WITH_DOUBTS = {name: f"{name} and doubts" for name in ("onnx int8", "openvino int8")}
"""Ours in int8, and what each is called with the rows that it leaves in doubt computed again."""

PLAIN_INT8, PLAIN_INT8_WITH_DOUBTS = "plain openvino int8", "plain openvino int8 and doubts"
BEST, BEST_TINY = "best_over_best_plain", "best_over_best_plain_tiny"
BEST_BUSY = "best_over_best_plain_busy"

RATIOS = {
    "mixed_over_plain": ("mixed", "plain"),
    "compiled_over_plain": ("mixed compiled", "plain"),
    "compiled_over_compiled_plain": ("mixed compiled", "plain compiled"),
    "mixed_over_token_form": ("mixed", "token form"),
    "mixed_over_per_task_loop": ("mixed", "one forward per task"),
}
"""Candidate, and whose throughput it is compared with, in the precision of the plan."""

FLOAT32_RATIOS = {"onnx_over_plain_fp32": ("onnx", "plain")}
INT8_RATIOS = {
    "int8_over_plain_fp32": "plain",
    "int8_over_openvino_int8": PLAIN_INT8_WITH_DOUBTS,
}
"""Whose throughput that of our best in int8 is compared with, its rows in doubt computed again."""

CUDA_RATIOS = RATIOS | {"cuda_mixed_over_compiled_plain": RATIOS["compiled_over_compiled_plain"]}


class Plan(NamedTuple):
    """What is measured, and for how long.

    Attributes:
        batches: rows of one forward, by model: timm's names, or that of `tests.fakes.tiny`. The
            ratios are those of the last model, and how exact they are is seen on the first. The
            first is also measured with batches in flight, and between busy neighbours.
        precisions: floating types; the ratios are those of the last one.
        batch_of_ratios: the one that the ratios are about.
        best: by model, what the best of ours over the best plain one is called.
        compiled: whether to compile too.
        copies_of: the only model of which one per task is measured, too; None measures all.
        neighbours: busy processes; 0 leaves that out.
        service: whether the whole service is measured, too.
        rounds: at least and at most.
        ratios: by name.
        seconds: of one cell, if the rounds allow it; the cells of the ratios get three times that.
    """

    batches: Mapping[str, tuple[int, ...]]
    precisions: tuple[str, ...]
    batch_of_ratios: int
    best: Mapping[str, tuple[str, ...]]
    compiled: bool = True
    copies_of: str | None = None
    neighbours: int = 2
    service: bool = True
    rounds: tuple[int, int] = (3, 30)
    ratios: Mapping[str, tuple[str, str]] = RATIOS
    seconds: float = 8.0

    @property
    def first(self) -> str:
        """The model that costs least."""
        return next(iter(self.batches))

    @property
    def last(self) -> str:
        """The model of the ratios."""
        return list(self.batches)[-1]

    @property
    def precision(self) -> str:
        """Of the ratios."""
        return self.precisions[-1]


SHORT = Plan(
    {"tiny": (4,)},
    ("float32",),
    4,
    {"tiny": (BEST, BEST_TINY)},
    compiled=False,
    neighbours=1,
    service=False,
    rounds=(2, 2),
    seconds=0.0,
)
ON_CUDA = Plan(
    {BASE: (1, 8, 64)},
    ("bfloat16",),
    64,
    {},
    neighbours=0,
    ratios=CUDA_RATIOS,
)


def plan_of(settings: Settings) -> Plan:
    """Return what to measure on this machine."""
    if settings.short:
        return SHORT
    return ON_CUDA if choose_device().type == "cuda" else _on_cpu()


def _on_cpu() -> Plan:
    return Plan(
        {TINY: (1, 16), BASE: (16,)},
        ("float32", "bfloat16") if has_bfloat16() else ("float32",),
        16,
        {TINY: (BEST_TINY,), BASE: (BEST,)},
        copies_of=TINY,
    )
