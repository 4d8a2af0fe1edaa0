"""What is tried on the validation split; the paper says that it does so, and not which values."""

from typing import Any, Final

from trainer.experiment.sweep import Grid
from trainer.methods.table import METHODS
from trainer.reproduce.variant import Variant

_DEEP: Final = Grid(lr=[5e-3, 2e-2, 1e-1])
_SMALL: Final = Grid(lr=[5e-4, 2e-3, 1e-2])
_GRIDS: Final = {
    "linear": Grid(lr=[1e-3, 1e-2]),
    "full": Grid(lr=[1e-4, 5e-4]),
    "bias": _SMALL,
    "adapter": _SMALL,
    "lora": _SMALL,
    "ssf": _SMALL,
    "snf": _SMALL,
    "moment-probing": _SMALL,
}


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
                f"spt-deep-{init}{suffix}", "spt-deep", like=spt, prompt={"init": init} | settings
            )
            for init in ("kmeans", "mean", "max")
        ),
    )
