"""The project's own comparison: what is compared, and what is tried for each.

The values to try and the number of epochs are chosen once for all tasks; the validation split
chooses among them, task by task.
"""

from typing import Any, Final

from adapters.artifact.backbone_spec import EMBEDDED
from trainer.errors import RecipeError
from trainer.reproduce.grids import DECAYS, HEAD_RATES, RATES, start_of
from trainer.reproduce.pages.accuracy import by_task
from trainer.reproduce.pages.backbone_table import Panel
from trainer.reproduce.study import Asked, Study
from trainer.reproduce.variant import Variant
from trainer.sweeping.grid import Grid

EPOCHS: Final = 12
COMMON: Final[dict[str, Any]] = {
    "compute": {"precision": "bfloat16"},
}
"""Recipe fields of all variants."""

_HEAD: Final = {"head_lr": 1e-2}
"""Where the search for the head's rate begins, next to trained prompts or a trained trunk."""

_PAPER_TOKENS: Final = (20, 100)
_TOKENS: Final = {EMBEDDED: (8, 32)}
"""Prompts, deep and shallow, where an image has far fewer patches than the paper's 196: the
embedded backbone's 64 get a like share."""

_NOISE: Final = Grid(lr=[1.25e-3, 5e-3, 2e-2], head_weight_decay=DECAYS, goes_on=RATES)
_PROMPTS: Final = Grid(lr=[2e-2, 1e-1, 5e-1], head_weight_decay=DECAYS, goes_on=RATES)
"""A step of AdamW turns a prompt by its rate over the prompt's RMS, and noise is some 20 times
smaller than tokens."""

_LINEAR: Final = Grid(lr=[1e-3, 5e-3, 2e-2], head_weight_decay=DECAYS, goes_on=HEAD_RATES)
_LONG: Final = {"epochs": 100, "warmup_epochs": 10}
"""A head alone is trained to its end, always: its features are computed once, so that
epochs are cheap."""

_FULL: Final = Grid(lr=[1e-4, 5e-4, 2.5e-3], head_weight_decay=DECAYS, goes_on=RATES)
_SAMPLED: Final = ("random", "kmeans", "mean", "max")


def compare(asked: Asked) -> Study:
    """Return every start of SPT against VPT, a linear probe and full fine-tuning.

    Raises:
        RecipeError: more than one backbone is asked for.
    """
    backbones = asked.backbones_or(EMBEDDED)
    if len(backbones) > 1:
        raise RecipeError(
            f"--backbone {' '.join(backbones)}: compare takes one at a time, for the number of "
            "prompts follows its patches; call it once for each, with the same --out"
        )
    deep, shallow = _TOKENS.get(backbones[0], _PAPER_TOKENS)
    trained, frozen = _trained_variants(deep, shallow), _frozen_variants(deep)
    return Study(
        name="compare",
        title="Starts of prompts compared",
        tasks=asked.tasks_or("digits", "shapes", "counting"),
        backbones=backbones,
        variants=trained + frozen,
        layout=by_task(
            Panel("trained", {variant.name: variant.name for variant in trained}),
            Panel("prompts frozen", {variant.name: variant.name for variant in frozen}),
        ),
        claims=(
            "The paper orders SPT above VPT: by 10 to 30 points under MAE, by some 2 under "
            "supervised backbones.",
        ),
        epochs=EPOCHS,
        common=COMMON,
    )


def _trained_variants(deep: int, shallow: int) -> tuple[Variant, ...]:
    return (
        Variant("linear", {"method": "linear", "optim": _LONG}, _LINEAR),
        _prompts("vpt-deep", "vpt-deep", _NOISE, num_tokens=deep),
        _prompts("spt-deep-random", "spt-deep", num_tokens=deep, init="random"),
        *(_like_random(init, deep) for init in _SAMPLED[1:]),
        _prompts("spt-deep-rescaled", "spt-deep", _NOISE, num_tokens=deep, init="rescaled"),
        _prompts("spt-shallow", "spt-shallow", num_tokens=shallow),
        Variant("full", {"method": "full", "optim": _HEAD}, _FULL),
    )


def _prompts(name: str, method: str, grid: Grid = _PROMPTS, **prompt: Any) -> Variant:
    return Variant(name, {"method": method, "prompt": prompt, "optim": _HEAD}, grid)


def _like_random(init: str, deep: int) -> Variant:
    """Return a strategy that differs from the random sample in nothing else."""
    prompt = {"num_tokens": deep} | start_of(init)
    settings = {"method": "spt-deep", "prompt": prompt, "optim": _HEAD}
    return Variant(f"spt-deep-{init}", settings, like="spt-deep-random")


def _frozen_variants(deep: int) -> tuple[Variant, ...]:
    """Only the head is trained (paper, Table 4a)."""
    return (
        _frozen("vpt-deep", "vpt-deep", "uniform", deep),
        *(_frozen(f"spt-deep-{init}", "spt-deep", init, deep) for init in _SAMPLED),
    )


def _frozen(name: str, method: str, init: str, deep: int) -> Variant:
    prompt = {"num_tokens": deep, "frozen": True} | start_of(init)
    settings = {"method": method, "prompt": prompt, "optim": _LONG}
    return Variant(f"{name}-frozen", settings, _LINEAR)
