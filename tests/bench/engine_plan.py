"""Which forwards are measured: models, precisions, batch sizes, and the ratios that count."""

from collections.abc import Mapping
from typing import NamedTuple

from adapters.vit.backbone import choose_device
from tests.bench.models import BASE, TINY
from tests.bench.result import Settings

WITH_DOUBTS = "onnx int8 and doubts"

RATIOS = {
    "mixed_over_plain": ("bfloat16", "mixed", "plain"),
    "compiled_over_plain": ("bfloat16", "mixed compiled", "plain"),
    "compiled_over_compiled_plain": ("bfloat16", "mixed compiled", "plain compiled"),
    "mixed_over_token_form": ("bfloat16", "mixed", "token form"),
    "mixed_over_per_task_loop": ("bfloat16", "mixed", "one forward per task"),
    "onnx_over_plain_fp32": ("float32", "onnx", "plain"),
    "int8_over_plain_fp32": ("float32", WITH_DOUBTS, "plain"),
}
"""Precision, candidate, and whose throughput it is compared with."""

CUDA_RATIOS = RATIOS | {"cuda_mixed_over_compiled_plain": RATIOS["compiled_over_compiled_plain"]}


class Plan(NamedTuple):
    """What is measured, and for how long.

    Attributes:
        models: timm's names, or that of `tests.fakes.tiny`; the ratios are those of the last one,
            and how exact they are is seen on the first.
        precisions: floating types.
        batches: rows of one forward.
        batch_of_ratios: the one that the ratios are about.
        compiled: whether to compile too.
        rounds: at least and at most.
        ratios: by name.
        seconds: of one cell, if the rounds allow it; the cells of the ratios get three times that.
    """

    models: tuple[str, ...]
    precisions: tuple[str, ...]
    batches: tuple[int, ...]
    batch_of_ratios: int
    compiled: bool = True
    rounds: tuple[int, int] = (5, 30)
    ratios: Mapping[str, tuple[str, str, str]] = RATIOS
    seconds: float = 20.0


SHORT = Plan(("tiny",), ("float32", "bfloat16"), (2, 4), 4, compiled=False, rounds=(2, 2))
ON_CPU = Plan((TINY, BASE), ("float32", "bfloat16"), (1, 8, 16, 32), 16)
ON_CUDA = Plan((BASE,), ("bfloat16",), (1, 8, 64), 64, ratios=CUDA_RATIOS, seconds=8.0)


def plan_of(settings: Settings) -> Plan:
    """Return what to measure on this machine."""
    if settings.short:
        return SHORT
    return ON_CUDA if choose_device().type == "cuda" else ON_CPU
