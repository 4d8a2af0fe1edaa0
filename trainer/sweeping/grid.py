"""The points that a sweep tries, the best of them, and whether it lies inside of what was tried."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from trainer.recipe import Recipe

Settings = dict[str, float]
"""Values of the optimiser, by name."""

_USUAL_STEP: Final = 4.0
"""From one value to the next, where a grid has one alone."""


@dataclass(frozen=True)
class Grid:
    """The values to try: every combination; an empty list keeps the recipe's own value.

    Attributes:
        lr: of the prompts, or of the only thing that is trained.
        weight_decay: of the same.
        head_weight_decay: of the head.
        head_lr: of the head.
        also: further points, such as a published one, by the names above; what one does not name
            is the recipe's.
        goes_on: names along which the search goes on, until smaller and larger values than the
            best point's have been tried.
    """

    lr: Sequence[float] = ()
    weight_decay: Sequence[float] = ()
    head_weight_decay: Sequence[float] = ()
    head_lr: Sequence[float] = ()
    also: Sequence[Settings] = ()
    goes_on: Sequence[str] = ()

    def points(self, recipe: Recipe) -> Iterator[Settings]:
        """Yield the optimiser's settings, in the order they are tried, each once.

        The head's rate is none of them unless it is varied: by default it follows `lr`.
        """
        names = ["lr", "weight_decay", "head_weight_decay"]
        if self.head_lr or "head_lr" in self.goes_on or any("head_lr" in one for one in self.also):
            names.append("head_lr")
        values = [getattr(self, name) or (getattr(recipe.optim, name),) for name in names]
        combined = [dict(zip(names, point, strict=True)) for point in itertools.product(*values)]
        own = {name: getattr(recipe.optim, name) for name in names}
        further = [own | {name: one[name] for name in names if name in one} for one in self.also]
        seen: list[Settings] = []
        for point in (*combined, *further):
            if point.get("head_lr", 0.0) is None:
                point["head_lr"] = point["lr"]
            if point not in seen:
                seen.append(point)
                yield point

    def beyond(self, best: Settings, tried: Sequence[Settings]) -> list[Settings]:
        """Return what must be tried before the best point is known to lie inside.

        Along each name of `goes_on`, with all else as it is at the best point, that is the next
        smaller and the next larger value, if none has been tried. No decay is smaller than 0.
        """
        further = []
        for name in self.goes_on:
            smaller, larger = neighbours(best, tried, name)
            below, above = self._next(name, best[name], tried)
            if not smaller and best[name] > 0:
                further.append(best | {name: below})
            if not larger and best[name] > 0:
                further.append(best | {name: above})
        return further

    def _next(self, name: str, value: float, tried: Sequence[Settings]) -> tuple[float, float]:
        """Return the next values of a name: those that others were tried at, or a step away."""
        known = sorted({one[name] for one in tried} | set(getattr(self, name)))
        step = _step(getattr(self, name))
        lower = [other for other in known if other < value]
        higher = [other for other in known if other > value]
        below = lower[-1] if lower else _rounded(value / step)
        return below, higher[0] if higher else _rounded(value * step)


@dataclass(frozen=True)
class Trial:
    """One point of the grid and what it reached."""

    settings: Settings
    val_accuracy: float
    train_loss: float
    seconds: float


def best_of(trials: Sequence[Trial]) -> Trial:
    """Return the trial of the highest validation accuracy.

    Of equals, that of the smallest rate, then of the smallest rate of the head, then of the lowest
    loss.
    """
    return min(
        trials,
        key=lambda one: (
            -one.val_accuracy,
            one.settings["lr"],
            one.settings.get("head_lr", 0.0),
            one.train_loss,
        ),
    )


def at_edge(best: Settings, tried: Sequence[Settings]) -> list[str]:
    """Return the names that were varied, and of which the best point has a value at the edge.

    That is one with no smaller or no larger value tried where all else is equal. A decay of 0 has
    nothing below it.
    """
    names = [name for name in best if len({one[name] for one in tried}) > 1]
    return [name for name in names if not _is_inside(best, tried, name)]


def neighbours(
    best: Mapping[str, float], tried: Sequence[Settings], name: str
) -> tuple[list[float], list[float]]:
    """Return the smaller and the larger values of a name that were tried, all else being equal."""
    others = [
        one[name]
        for one in tried
        if all(one[key] == value for key, value in best.items() if key != name)
    ]
    value = best[name]
    return [one for one in others if one < value], [one for one in others if one > value]


def _is_inside(best: Settings, tried: Sequence[Settings], name: str) -> bool:
    smaller, larger = neighbours(best, tried, name)
    return bool(larger) and (bool(smaller) or best[name] == 0)


def _step(values: Sequence[float]) -> float:
    positive = sorted(value for value in values if value > 0)
    if len(positive) < 2:
        return _USUAL_STEP
    return float((positive[-1] / positive[0]) ** (1 / (len(positive) - 1)))


def _rounded(value: float) -> float:
    """Return a value with three digits, as it is printed and as folders are called."""
    return float(f"{value:.3g}")
