"""How ours was measured, read from what was measured."""

from collections.abc import Callable, Iterable
from typing import Any

from trainer.reproduce.results import Key, Results
from trainer.reproduce.variant import Cell, edges_of


def conditions_of(results: Results, variants: tuple[str, ...]) -> tuple[str, ...]:
    """Return one sentence per condition that a reader needs to judge the numbers."""
    if not variants:
        return ("Nothing is trained for this: the times are of constructing the prompts.",)
    keys = [key for key in results.cells if key[2] in variants]
    if not keys:
        return ("Nothing has been trained yet.",)
    recipes = [results.recipes[key] for key in keys]
    cells = [results.cells[key] for key in keys]
    shares = [f"{recipe['data_proportion']:.0%}" for recipe in recipes]
    return (
        f"Measured: {len(keys)} pairs of variant and task, on {_listed(key[0] for key in keys)}; "
        f"tasks {_listed(key[1] for key in keys)}.",
        f"Epochs: {_listed(recipe['optim']['epochs'] for recipe in recipes)}; seeds: "
        f"{_listed(len(cell.test_accuracies) for cell in cells)}; kept: "
        f"{_listed(recipe['select'] for recipe in recipes)} epoch; share of the training images: "
        f"{_listed(shares)}; computed in "
        f"{_listed(recipe['compute']['precision'] for recipe in recipes)} on "
        f"{_listed(cell.device for cell in cells)} by "
        f"{_listed(_software(cell) for cell in cells)}.",
        f"Protocol: {_listed(_protocol(recipe) for recipe in recipes)}.",
        "Optimiser settings were chosen on the validation split with seed 0; the test set was "
        f"scored {_test_scores(recipes)}, and chose nothing.",
        *_chosen(results, keys),
    )


def _protocol(recipe: dict[str, Any]) -> str:
    if recipe.get("protocol", "own") == "own":
        return "our own, one for all methods"
    return "published, what each method's authors trained with, as far as it is had"


def _test_scores(recipes: list[dict[str, Any]]) -> str:
    if any(recipe.get("report", {}).get("test_each_epoch") for recipe in recipes):
        return "once per seed after the last epoch, in places after each epoch to be shown"
    return "once per seed, after the last epoch"


def _best_test_epochs(results: Results, keys: list[Key]) -> Iterable[str]:
    """Yield what the papers report of some methods; it is no number of ours."""
    for key in keys:
        cell = results.cells[key]
        scores = cell.observed.get("test_accuracies")
        if scores:
            yield f"{key[2]} on {key[1]} {max(scores):.1%} for {cell.test_accuracies[0]:.1%}"


def _chosen(results: Results, keys: list[Key]) -> Iterable[str]:
    """Yield which learning rates won, variant by variant."""
    rates_of: dict[str, set[float]] = {}
    for key in keys:
        rates_of.setdefault(key[2], set()).add(results.cells[key].chosen["lr"])
    texts = [
        f"{variant} {_listed(f'{lr:g}' for lr in sorted(rates))}"
        for variant, rates in rates_of.items()
    ]
    yield f"Learning rates chosen: {'; '.join(texts)}."
    yield f"Settings tried on validation: {_listed_by_variant(results, keys, _tried)}."
    if images := _images(results, keys):
        yield f"Training images: {images}."
    yield f"Epochs of each variant: {_listed_by_variant(results, keys, _epochs)}."
    if best := list(_best_test_epochs(results, keys)):
        yield (
            f"The best test epoch of seed 0 for its last one: {'; '.join(best)}. Some papers "
            "report the best one; no number here is it."
        )
    if edges := list(_edges(results, keys)):
        yield f"The best lies at the edge of what was tried: {'; '.join(edges)}."


def _listed_by_variant(
    results: Results, keys: list[Key], of: Callable[[Results, Key], object]
) -> str:
    """Return a figure variant by variant; several where tasks differ."""
    found: dict[str, list[object]] = {}
    for key in keys:
        found.setdefault(key[2], []).append(of(results, key))
    return "; ".join(f"{variant} {_listed(values)}" for variant, values in found.items())


def _tried(results: Results, key: Key) -> int:
    return len(results.cells[key].trials)


def _epochs(results: Results, key: Key) -> int:
    return int(results.recipes[key]["optim"]["epochs"])


def _images(results: Results, keys: list[Key]) -> str:
    """Return how many images were trained on, task by task, and whether validation's are in it."""
    found: dict[str, list[str]] = {}
    for key in keys:
        count = results.cells[key].train_images
        data = results.recipes[key].get("data", {})
        both = data.get("train_on", "train") != "train"
        if count is not None:
            more = ", those of validation among them once settings were chosen" if both else ""
            found.setdefault(key[1], []).append(f"{count:,}{more}")
    return "; ".join(f"{task} {_listed(counts)}" for task, counts in found.items())


def _edges(results: Results, keys: list[Key]) -> Iterable[str]:
    for key in keys:
        if found := edges_of(results.cells[key]):
            yield f"{key[2]} on {key[1]} ({_listed(found)})"


def _software(cell: Cell) -> str:
    return " and ".join(f"{name} {version}" for name, version in cell.versions.items()) or "unknown"


def _listed(values: Iterable[Any]) -> str:
    return ", ".join(dict.fromkeys(map(str, values)))
