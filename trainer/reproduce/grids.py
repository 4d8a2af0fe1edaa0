"""What is tried on the validation split; the paper says that it does so, and not which values."""

from dataclasses import replace
from typing import Any, Final

from trainer.methods.table import METHODS
from trainer.protocol.optimisers import VPT_BASES, VPT_CODE, VPT_DECAYS, scaled
from trainer.recipe import Recipe
from trainer.recipe_file import PUBLISHED, load_recipe
from trainer.reproduce.variant import Variant
from trainer.sweeping.grid import Grid

RATES: Final = ("lr", "weight_decay", "head_weight_decay", "head_lr")
"""What is searched for everything that has trained parameters besides a head."""

HEAD_RATES: Final = ("lr", "head_weight_decay")
"""What is searched for a head alone: `lr` is its rate."""

DECAYS: Final = (0.05, 0.5, 2.5)
"""Of the head. One that hardly decays fits few images before anything else can learn."""

_DEEP: Final = Grid(lr=[5e-3, 2e-2, 1e-1], head_weight_decay=DECAYS, goes_on=RATES)
_SMALL: Final = Grid(lr=[5e-4, 2e-3, 1e-2], head_weight_decay=DECAYS, goes_on=RATES)
_GRIDS: Final = {
    "linear": Grid(lr=[1e-3, 1e-2], head_weight_decay=DECAYS, goes_on=HEAD_RATES),
    "full": Grid(lr=[1e-4, 5e-4], head_weight_decay=DECAYS, goes_on=RATES),
    "bias": _SMALL,
    "adapter": _SMALL,
    "lora": _SMALL,
    "ssf": _SMALL,
    "snf": _SMALL,
    "moment-probing": _SMALL,
}


_VPT_GRID: Final = Grid(
    also=[
        {"lr": scaled(base), "weight_decay": decay, "head_weight_decay": decay}
        for base in VPT_BASES
        for decay in VPT_DECAYS
    ],
    goes_on=("lr",),
)
"""What VPT's code tries: one decay of all that is trained."""


def with_published(grid: Grid, recipe: Recipe) -> Grid:
    """Return a grid that has the published setting of the task and method, too, if there is one.

    It is what `train` takes: the table of the task in the recipe file of the backbone's family.
    """
    if not grid.goes_on:
        return grid
    if recipe.protocol == PUBLISHED and recipe.method in VPT_CODE:
        return _VPT_GRID
    published = load_recipe(
        recipe.task, backbone=recipe.backbone, method=recipe.method, protocol=recipe.protocol
    ).optim
    usual = Recipe(task=recipe.task, method=recipe.method).optim
    if all(getattr(published, name) == getattr(usual, name) for name in RATES):
        return grid
    point = {name: getattr(published, name) for name in RATES}
    names = {name for name in RATES if getattr(grid, name)} | set(grid.goes_on)
    point["head_lr"] = published.head_lr or published.lr
    return replace(grid, also=(*grid.also, {name: point[name] for name in RATES if name in names}))


def variant(name: str, method: str, like: str | None = None, **settings: Any) -> Variant:
    """Return a variant with its method's grid.

    Args:
        name: as it is printed.
        method: by the trainer's name.
        like: an earlier variant whose chosen settings it takes instead.
        settings: further recipe fields.
    """
    grid = Grid() if like is not None else _GRIDS.get(method, _DEEP)
    return Variant(name, {"method": method} | settings, grid, like)


def plain(*methods: str) -> tuple[Variant, ...]:
    """Return a variant per method, as it is."""
    assert set(methods) <= set(METHODS)
    return tuple(variant(method, method) for method in methods)


def start_of(init: str) -> dict[str, Any]:
    """Return the prompt fields of a start: averages are over an image, as the paper's were made."""
    return {"init": init} | ({"pool_over": "image"} if init in ("mean", "max") else {})


def sampled(suffix: str = "", **settings: Any) -> tuple[Variant, ...]:
    """Return VPT-Deep and SPT-Deep by each strategy (Table 4).

    The strategies share what is chosen for the random sample: they differ in nothing else.

    Args:
        suffix: of the variants' names.
        settings: prompt fields of all.
    """
    spt = f"spt-deep-random{suffix}"
    return (
        variant(f"vpt-deep{suffix}", "vpt-deep", prompt=settings),
        variant(spt, "spt-deep", prompt={"init": "random"} | settings),
        *(
            variant(
                f"spt-deep-{init}{suffix}",
                "spt-deep",
                like=spt,
                prompt=start_of(init) | settings,
            )
            for init in ("kmeans", "mean", "max")
        ),
    )
